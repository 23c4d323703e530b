"""The command line and make against real processes: nothing stays behind."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image

from tests.waiting import until

pytestmark = pytest.mark.e2e
ROOT = Path(__file__).resolve().parents[2]
UNFLAT = str(Path(sys.executable).parent / "unflat")
PATIENCE_S = 120
# In the background SIGINT is ignored, and children inherit that. Forking beside gRPC's threads to set it is not safe.
HEEDING_SIGINT = (
    "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"
)


@pytest.fixture
def environment(tmp_path):
    return {**os.environ, "UNFLAT_MODELS": str(tmp_path / "store")}


def _children(marker: str) -> list[int]:
    """Processes of unflat's services whose environment carries `marker`."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            is_service = b"services." in (folder / "cmdline").read_bytes()
            if is_service and marker.encode() in (folder / "environ").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue  # it ended while we looked
    return found


def _wait_until_none(marker: str) -> None:
    until(lambda: not _children(marker), PATIENCE_S, lambda: _children(marker))


def test_make_run(environment, tmp_path):
    command = ["make", "-C", str(ROOT), "run", "WEIGHTS=none", f"OUT={tmp_path / 'out'}", "IMAGE=examples/vase.jpg"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "vase-cutout.png",
        "vase-preview.png",
        "vase.glb",
        "vase.json",
    ]
    mesh = trimesh.load(tmp_path / "out" / "vase.glb", force="mesh")
    mesh.merge_vertices(merge_tex=True, merge_norm=True)
    assert mesh.is_watertight
    receipt = json.loads((tmp_path / "out" / "vase.json").read_text())
    assert receipt["mesh"]["watertight"]
    assert "made without depth" in done.stderr
    sheet = np.asarray(Image.open(tmp_path / "out" / "vase-preview.png").convert("RGB"), dtype=int)
    assert sheet.shape[0] > 400
    assert np.std(sheet) > 10
    _wait_until_none(environment["UNFLAT_MODELS"])


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_stopping_the_command_stops_every_process_it_started(how, environment, tmp_path, examples):
    command = [UNFLAT, "mesh", str(examples / "mug.jpg"), "-o", str(tmp_path / "out"), "--preview"]
    process = subprocess.Popen(
        [sys.executable, "-c", HEEDING_SIGINT, *command],
        env=environment,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    until(lambda: len(_children(environment["UNFLAT_MODELS"])) >= 4 or process.poll() is not None, PATIENCE_S)
    assert process.poll() is None, process.stderr.read()
    process.send_signal(how)
    process.wait(PATIENCE_S)
    assert process.returncode != 0
    _wait_until_none(environment["UNFLAT_MODELS"])
    assert not list(tmp_path.glob("out/*.part"))


def test_up_serves_until_it_is_told_to_stop(environment, examples, tmp_path, free_port):
    http, grpc_port = free_port(), free_port()
    command = [UNFLAT, "up", "--http-port", str(http), "--port", str(grpc_port)]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        lines = []
        for line in process.stdout:
            lines.append(line)
            if "Ctrl-C" in line:
                break
        said = "".join(lines)
        assert f"http://127.0.0.1:{http}" in said
        assert re.search(r"depth .*NOT_SERVING", said), said
        with urllib.request.urlopen(f"http://127.0.0.1:{http}/readyz", timeout=30) as answer:
            assert answer.status == 200
        metrics = re.findall(r"http://127\.0\.0\.1:\d+/metrics", said)
        assert len(metrics) >= 4
        with urllib.request.urlopen(metrics[0], timeout=30) as answer:
            assert b"unflat_serving" in answer.read()
        done = subprocess.run(
            [UNFLAT, "cutout", str(examples / "mug.jpg"), "-o", str(tmp_path), "--server", f"127.0.0.1:{grpc_port}"],
            capture_output=True,
            timeout=PATIENCE_S,
            env=environment,
        )
        assert done.returncode == 0
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == 0
    _wait_until_none(environment["UNFLAT_MODELS"])


def test_depth_is_written_in_colours_in_sixteen_bits_and_raw(local_services, examples, tmp_path):
    for name, extra in (("colour.png", []), ("grey.png", ["--raw"]), ("raw.npz", [])):
        command = [UNFLAT, "depth", str(examples / "mug.jpg"), "-o", str(tmp_path / name)]
        command += ["--server", local_services.address, *extra]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S)
        assert done.returncode == 0, done.stderr
    assert Image.open(tmp_path / "colour.png").mode == "RGB"
    assert np.asarray(Image.open(tmp_path / "grey.png")).dtype == np.uint16
    assert np.load(tmp_path / "raw.npz")["depth"].dtype == np.float32


def test_some_inputs_fail_and_the_others_are_finished(local_services, examples, tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff junk")
    command = [UNFLAT, "cutout", str(tmp_path / "broken.jpg"), str(examples / "mug.jpg"), str(tmp_path / "absent.jpg")]
    done = subprocess.run(
        [*command, "-o", str(tmp_path / "out"), "--server", local_services.address, "--depth", "off"],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 1
    assert "broken.jpg" in done.stderr
    assert "absent.jpg" in done.stderr
    assert "Traceback" not in done.stderr
    assert (tmp_path / "out" / "mug.png").exists()
