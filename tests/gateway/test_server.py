"""The process: it says where it listens, answers, and goes when told."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys

import httpx2 as httpx
import pytest

from services.gateway.server import listen
from tests.waiting import until


def start(tmp_path, *flags):
    address_file = tmp_path / "gateway.json"
    command = [sys.executable, "-m", "services.gateway", "--address-file", str(address_file), "--drain-s", "0", *flags]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("UNFLAT_")}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    until(lambda: address_file.exists() or process.poll() is not None)
    return process, json.loads(address_file.read_text()) if address_file.exists() else {}


def test_answers_do_not_wait_for_acknowledgements():
    with listen("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0


@pytest.mark.e2e
def test_gateway_without_an_orchestrator_lives_refuses_and_ends(tmp_path):
    process, announced = start(tmp_path, "--port", "0", "--orchestrator-address", "127.0.0.1:1", "--timeout-s", "5")
    try:
        url = f"http://{announced['address']}"
        assert announced["pid"] == process.pid
        assert httpx.get(f"{url}/healthz").status_code == 200
        assert httpx.get(f"{url}/readyz", timeout=20).status_code == 503
        answer = httpx.post(f"{url}/remove-bg", files={"file": b"x"}, timeout=20)
        assert (answer.status_code, answer.json()["code"]) == (503, "STAGE_UNAVAILABLE")
        assert "server" not in answer.headers
    finally:
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=60)
    assert process.returncode == 0, log
    assert "Traceback" not in log
    assert json.loads(log.splitlines()[-1])["event"] == "stopped"


@pytest.mark.e2e
def test_port_in_use_ends_the_process_with_a_sentence(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        process, _ = start(tmp_path, "--port", str(taken.getsockname()[1]))
        _, log = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "cannot listen on 127.0.0.1" in log
    assert "Traceback" not in log


@pytest.mark.e2e
@pytest.mark.parametrize(("proxies", "second"), [((), 429), (("--trusted-proxies", "127.0.0.1"), 503)])
def test_the_header_of_a_trusted_proxy_alone_says_who_the_client_is(tmp_path, proxies, second):
    rate = ("--rate", "1/hour", "--orchestrator-address", "127.0.0.1:1", "--timeout-s", "5")
    process, announced = start(tmp_path, "--port", "0", *rate, *proxies)
    try:
        url = f"http://{announced['address']}/remove-bg"

        def send(client):
            headers = {"X-Forwarded-For": client}
            return httpx.post(url, files={"file": b"x"}, headers=headers, timeout=20).status_code

        assert (send("203.0.113.7"), send("203.0.113.8")) == (503, second)
        assert send("203.0.113.7") == 429
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
