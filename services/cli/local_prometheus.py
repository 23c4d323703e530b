"""A Prometheus beside the local services: scrapes the services' addresses, with the project's rules where they are.

Needs a `prometheus` binary (Debian: apt-get install prometheus); without one there is a sentence, and no Prometheus.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from services.common.free_ports import free_port

_RULES = Path(__file__).resolve().parents[2] / "deploy" / "observability" / "rules"
_STOP_S = 5.0  # then it is killed
_HEAD = """global:
  scrape_interval: 5s
  evaluation_interval: 15s
"""


def find_prometheus() -> str | None:
    """Return the path of the binary, or None."""
    return shutil.which("prometheus")


class LocalPrometheus:
    """One Prometheus on loopback, its data in a folder that goes with it.

    Args:
        binary: path of prometheus.
        targets: host:port of each service's metrics, by the service's name.
        rules: folder of rule files; one that is not there is left out.
    """

    def __init__(self, binary: str, targets: Mapping[str, str], rules: Path = _RULES) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="unflat-prometheus-")
        folder = Path(self._folder.name)
        config, self.log = folder / "prometheus.yaml", folder / "prometheus.log"
        config.write_text(configuration(targets, rules), encoding="utf-8")
        self.address = f"127.0.0.1:{free_port()}"
        command = [
            *_ending_with_us(),
            binary,
            f"--config.file={config}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address={self.address}",
            "--enable-feature=exemplar-storage",
        ]
        with self.log.open("wb") as out:
            self.popen = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
            )

    def stop(self) -> None:
        """End it and remove its data."""
        self.popen.terminate()
        try:
            self.popen.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
        self._folder.cleanup()


def targets_of(addresses: Mapping[str, Mapping[str, object]]) -> dict[str, str]:
    """Return host:port of the metrics of each service that has them, from what the services wrote of themselves."""
    found = {}
    for name, said in addresses.items():
        host, port = str(said["address"]).rsplit(":", 1)[0], said.get("metrics_port", -1)
        if isinstance(port, int) and port > 0:
            found[name] = f"{'127.0.0.1' if host in ('0.0.0.0', '[::]', '::') else host}:{port}"
    return found


def configuration(targets: Mapping[str, str], rules: Path) -> str:
    """Return Prometheus' configuration; every service is a job of its own, unflat-<service>."""
    text = _HEAD
    if rules.is_dir():
        text += f"rule_files:\n  - {rules}/*.yaml\n"
    text += "scrape_configs:\n"
    for name, address in targets.items():
        text += f"  - job_name: unflat-{name}\n    static_configs:\n      - targets: ['{address}']\n"
    return text


def _ending_with_us() -> list[str]:
    """Return what makes the kernel end a command with its parent, where there is such a thing (util-linux)."""
    found = shutil.which("setpriv")
    return [found, "--pdeathsig=TERM", "--"] if found and os.name == "posix" else []
