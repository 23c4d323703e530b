"""`make images-check`: whether what the images install can be had, asked of the package index without installing it.

For each lock, `pip install --dry-run` resolves its pins for the images' Python and platform; what it chose must be
exactly the lock, and every file that the index offers for it must have a hash that the lock pins.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.checks.dockerfiles import read_image

ROOT = Path(__file__).resolve().parents[2]

_PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s;\\]+)(?:\s*;\s*([^\\]+?))?\s*(?:\\|$)")
# What pip takes on Debian 12, whose glibc is 2.36; an explicit platform is not widened to older ones.
_PLATFORMS = (*(f"manylinux_2_{minor}_x86_64" for minor in range(36, 4, -1)), "manylinux2014_x86_64", "linux_x86_64")


@dataclass(frozen=True)
class Pin:
    """One line of a lock: a version, for whom, and the files that may be it."""

    version: str
    marker: str
    hashes: frozenset[str]  # SHA-256


def locks(root: Path) -> list[Path]:
    """Return every lock that an image can be made of: those the Dockerfiles name, their CUDA forms, the build's."""
    found = [root / "deploy/docker/build.lock", root / "requirements/tracing.lock"]
    for path in sorted((root / "deploy/docker").glob("*.Dockerfile")):
        name = read_image(path).arguments.get("LOCK")
        forms = [root / f"requirements/{name}.lock", root / f"requirements/{name}-cuda.lock"]
        found += [lock for lock in forms if name and lock.is_file()]
    return found


def pins(text: str) -> dict[str, list[Pin]]:
    """Return what a lock pins by distribution; several where Pythons or platforms differ."""
    found: dict[str, list[Pin]] = {}
    blocks = re.split(r"\n(?=[A-Za-z0-9])", text)
    for block in blocks:
        match = _PIN.match(block)
        if match:
            hashes = frozenset(re.findall(r"--hash=sha256:([0-9a-f]{64})", block))
            pin = Pin(match.group(2), (match.group(3) or "").strip(), hashes)
            found.setdefault(_normalise(match.group(1)), []).append(pin)
    return found


def differences(lock: str, report: Mapping[str, Any]) -> list[str]:
    """Return how what pip would install differs from a lock.

    Args:
        lock: the lock's text.
        report: of `pip install --dry-run --report`.
    """
    wanted, said = pins(lock), []
    chosen = {_normalise(item["metadata"]["name"]): item for item in report["install"]}
    for name, choices in wanted.items():
        item = chosen.get(name)
        if item is None:
            said += [] if all(pin.marker for pin in choices) else [f"{name} is pinned and not installed"]
            continue
        version = item["metadata"]["version"]
        pin = next((pin for pin in choices if pin.version == version), None)
        if pin is None:
            said.append(f"{name} would be {version}; the lock pins {', '.join(pin.version for pin in choices)}")
            continue
        digest = item["download_info"].get("archive_info", {}).get("hashes", {}).get("sha256")
        if digest not in pin.hashes:
            said.append(f"{name}=={version} has the hash {digest}, which is not in the lock")
    return said + [f"{name} is needed and not in the lock" for name in sorted(set(chosen) - set(wanted))]


def ask_index(lock: Path) -> list[str]:
    """Return what is wrong with a lock at the package index."""
    text = lock.read_text(encoding="utf-8")
    bare = "".join(
        f"{name}=={pin.version}{f' ; {pin.marker}' if pin.marker else ''}\n"
        for name, choices in pins(text).items()
        for pin in choices
    )
    with tempfile.TemporaryDirectory() as folder:
        wanted, report = Path(folder, "wanted.txt"), Path(folder, "report.json")
        wanted.write_text(bare, encoding="utf-8")
        # Without hashes pip reads the index's metadata alone; with them it would download gigabytes to compare.
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed", "--no-input"]
        command += ["--only-binary", ":all:", "--python-version", "3.11", "--implementation", "cp", "--target", folder]
        command += [word for platform in _PLATFORMS for word in ("--platform", platform)]
        command += ["--report", str(report), "-r", str(wanted)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            return [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or [done.stderr[-300:]]
        return differences(text, json.loads(report.read_text(encoding="utf-8")))


def main(arguments: Sequence[str] | None = None) -> int:
    """Ask for each lock, two at a time, and return the exit status."""
    names = [Path(name) for name in (sys.argv[1:] if arguments is None else arguments)]
    chosen = names or locks(ROOT)
    with ThreadPoolExecutor(2) as pool:
        found = dict(zip(chosen, pool.map(ask_index, chosen), strict=True))
    for lock, said in found.items():
        sys.stdout.writelines(f"images-check: {lock.name}: {problem}\n" for problem in said)
    sys.stdout.write(f"images-check: {len(chosen)} locks, {sum(map(len, found.values()))} problems\n")
    return 1 if any(found.values()) else 0


def _normalise(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    raise SystemExit(main())
