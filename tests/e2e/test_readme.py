"""Every command of the README that can run here is run."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e
ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
UNFLAT = str(Path(sys.executable).parent / "unflat")

# What cannot be run in a test, each with its reason.
LEFT_OUT = {
    "make run": "test_make_run runs it with WEIGHTS=none",
    "make test": "is this",
    "make weights": "downloads 1.9 GB",
    "unflat depth": "needs the depth network; tests/e2e/test_cli.py runs it with a small one",
    "unflat up": "runs until Ctrl-C; test_up_serves_until_it_is_told_to_stop",
    "make torch": "several GB; CI has run it before this",
}


def _commands() -> list[str]:
    blocks = re.findall(r"```bash\n(.*?)```", README, flags=re.DOTALL)
    lines = [line.split("  #")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line]


def _is_left_out(command: str) -> bool:
    return any(command.startswith(start) for start in LEFT_OUT)


def test_nothing_is_left_out_that_the_readme_does_not_have():
    assert [start for start in LEFT_OUT if not any(c.startswith(start) for c in _commands())] == []


@pytest.mark.parametrize("command", [c for c in _commands() if not _is_left_out(c)])
def test_readme_command_works(command, local_services, tmp_path, examples, tmp_path_factory):
    shutil.copytree(examples, tmp_path / "examples")
    shutil.copy(examples / "mug.jpg", tmp_path / "test.jpg")
    _write_mask(tmp_path / "mask.png")
    words = shlex.split(command)
    gateway = local_services.processes["gateway"]
    if words[0] == "make":
        assert words[1] == "help"
        done = subprocess.run(["make", "-C", str(ROOT), "help"], capture_output=True, text=True, timeout=60)
    elif words[0] == "curl":
        words = [word.replace("localhost:8000", f"127.0.0.1:{gateway.port}") for word in words]
        done = subprocess.run([*words, "--fail", "-sS"], capture_output=True, text=True, timeout=120, cwd=tmp_path)
    else:
        assert words[0] == "unflat", command
        server = ["--server", local_services.address] if words[1] in ("mesh", "cutout", "status") else []
        environment = {**os.environ, "UNFLAT_MODELS": str(tmp_path_factory.mktemp("store"))}
        done = subprocess.run(
            [UNFLAT, *words[1:], *server], capture_output=True, text=True, timeout=240, cwd=tmp_path, env=environment
        )
    assert done.returncode == 0, done.stderr[-2000:]
    for number, word in enumerate(words):
        if word == "-o" and words[0] == "curl":
            assert (tmp_path / words[number + 1]).stat().st_size > 100
        if word == "-o" and words[0] == "unflat":
            assert list((tmp_path / words[number + 1]).iterdir())


def test_the_python_snippet_of_the_readme_works(local_services, tmp_path, examples):
    snippet = re.search(r"```python\n(.*?)```", README, flags=re.DOTALL)
    assert snippet is not None
    code = snippet.group(1).replace("127.0.0.1:50050", local_services.address)
    shutil.copy(examples / "mug.jpg", tmp_path / "test.jpg")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert (tmp_path / "model.glb").read_bytes().startswith(b"glTF")


def test_every_file_the_readme_links_is_there():
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def _write_mask(path: Path) -> None:
    import numpy as np
    from PIL import Image

    mask = np.zeros((896, 1152), np.uint8)
    mask[200:700, 400:800] = 255
    Image.fromarray(mask).save(path)
