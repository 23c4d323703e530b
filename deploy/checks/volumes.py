"""What pods mount and which secrets they read: every volume has one source, every Secret is made or documented."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from deploy.checks.manifests import Manifest, of_kind, pod_of


def problems(manifests: Sequence[Manifest], root: Path) -> Iterator[str]:
    """Yield one sentence for each mount, claim or Secret of one build that nothing stands behind."""
    for name in of_kind("Secret", manifests):
        yield f"the Secret {name} is in the manifests"
    for workload in (m for m in manifests if m["kind"] in {"Deployment", "StatefulSet"}):
        found = [*_volume_problems(workload, manifests), *_secret_problems(workload, manifests, root)]
        yield from (f"{workload['metadata']['name']}: {problem}" for problem in found)


def _volume_problems(workload: Manifest, manifests: Sequence[Manifest]) -> Iterator[str]:
    pod = pod_of(workload)
    claims = of_kind("PersistentVolumeClaim", manifests)
    made = {template["metadata"]["name"] for template in workload["spec"].get("volumeClaimTemplates", [])}
    volumes = {volume["name"]: volume for volume in pod.get("volumes", [])}
    for container in (*pod.get("initContainers", []), *pod["containers"]):
        for mount in container.get("volumeMounts", []):
            if mount["name"] not in volumes.keys() | made:
                yield f"container {container['name']} mounts {mount['name']}, which is no volume of its pod"
    for name, volume in volumes.items():
        if len(volume) != 2:
            yield f"volume {name} has {len(volume) - 1} sources"
        claim = volume.get("persistentVolumeClaim", {}).get("claimName")
        if claim is not None and claim not in claims:
            yield f"volume {name} is the claim {claim}, which is not in the build"


def _secret_problems(workload: Manifest, manifests: Sequence[Manifest], root: Path) -> Iterator[str]:
    made = {certificate["spec"]["secretName"] for certificate in of_kind("Certificate", manifests).values()}
    documented = (root / "docs/deployment.md").read_text(encoding="utf-8")
    pod = pod_of(workload)
    named = {volume["secret"]["secretName"] for volume in pod.get("volumes", []) if "secret" in volume}
    for entry in (entry for container in pod["containers"] for entry in container.get("env", [])):
        reference = entry.get("valueFrom", {}).get("secretKeyRef")
        named |= {reference["name"]} if reference else set()
    for name in sorted(named - made):
        if f"generic {name} " not in documented:
            yield f"needs the Secret {name}, which docs/deployment.md does not make"
