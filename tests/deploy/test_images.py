"""What the one Dockerfile copies and starts is there, and what a service imports at its start is in its lock."""

import re
import subprocess
import sys
import tomllib

import pytest

from deploy.checks.manifests import ROOT
from services.common.environment import SERVICES

DOCKERFILE = (ROOT / "deploy/Dockerfile").read_text(encoding="utf-8")
STAGES = ("segmentation", "depth", "mesher")
PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s;]+)", re.MULTILINE)

# Imports a module as in an image: what its lock does not pin is not there, for libraries' own optional imports neither.
START = """
import sys
from importlib.metadata import packages_distributions
module, *pinned = sys.argv[1:]
there = {*pinned, "unflat"}
normal = lambda name: name.lower().replace("_", "-").replace(".", "-")
absent = {top for top, names in packages_distributions().items() if there.isdisjoint(map(normal, names))}
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in absent:
            raise ModuleNotFoundError(f"the lock does not pin {name}", name=name)
sys.meta_path.insert(0, Absent())
sys.path.insert(0, "gen")
__import__(module)
"""
ASK = "list(sys.modules['services.common.environment'].unknown_variables(['UNFLAT_NOTHING']))"


def pins(name: str) -> dict[str, set[str]]:
    """Return the versions that a lock pins by distribution; several where Pythons or platforms differ."""
    found: dict[str, set[str]] = {}
    for distribution, version in PIN.findall((ROOT / f"requirements/{name}.lock").read_text(encoding="utf-8")):
        found.setdefault(re.sub(r"[-_.]+", "-", distribution).lower(), set()).add(version)
    return found


def test_what_is_copied_exists_and_goes_to_the_builder():
    allowed = re.findall(r"^!(\S+)", (ROOT / ".dockerignore").read_text(encoding="utf-8"), re.MULTILINE)
    for copied in re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE):
        for source in copied.replace("${LOCK}", "light").split():
            assert (ROOT / source).exists(), source
            assert any(source == name or source.startswith(f"{name}/") for name in allowed), source


def test_every_service_has_a_target_that_starts_its_console_script():
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    started = dict(re.findall(r'^FROM \S+ AS (\S+)\n(?:.+\n)*?ENTRYPOINT \["(\S+)"\]$', DOCKERFILE, re.MULTILINE))
    assert started == {service: f"unflat-{service}" for service in SERVICES} | {"all-in-one": "unflat"}
    assert set(started.values()) <= set(scripts)


@pytest.mark.slow
@pytest.mark.parametrize(("module", "lock"), [*((f"{s}.server", s) for s in SERVICES), ("cli.main", "light")])
def test_every_service_starts_with_what_its_lock_installs(module, lock):
    command = [sys.executable, "-c", START, f"services.{module}", *pins(lock)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_library_that_the_lock_lacks_is_not_there():
    lock = pins("gateway")
    del lock["fastapi"]
    command = [sys.executable, "-c", START, "services.gateway.server", *lock]
    assert "the lock does not pin fastapi" in subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stderr


@pytest.mark.slow
@pytest.mark.parametrize("service", SERVICES)
def test_the_settings_of_every_service_can_be_read_with_the_lock_of_any(service):
    program = (
        f"{START}\nfrom services.common.environment import unknown_variables; list(unknown_variables(['UNFLAT_X']))"
    )
    command = [sys.executable, "-c", program, "services.common.settings", *pins(service)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("stage", STAGES)
def test_a_cuda_lock_has_what_the_other_has_but_one_runtime_and_no_wheel_of_one_machine(stage):
    cuda = pins(f"{stage}-cuda")
    assert set(pins(stage)) - set(cuda) <= {"onnxruntime"}  # the CPU build would take the place of the other's files
    assert ("torch" if stage == "mesher" else "onnxruntime-gpu") in cuda
    assert [name for name, versions in cuda.items() if any("+" in version for version in versions)] == []


@pytest.mark.parametrize("lock", ["light", *SERVICES, *(f"{stage}-cuda" for stage in STAGES)])
def test_what_sends_traces_can_be_added_to_every_lock(lock):
    tracing = pins("tracing")
    for name, versions in pins(lock).items():
        assert versions <= tracing.get(name, versions), name
