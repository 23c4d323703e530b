"""Who scales what, by which measure: ScaledObjects, HorizontalPodAutoscalers, and what Prometheus is told to read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from deploy.checks import metric_names
from deploy.checks.manifests import Manifest, of_kind, pod_of, settings_given

_MAY_SLEEP = {"depth"}  # an improvement, never a condition: the only one whose absence is no error


def problems(manifests: Sequence[Manifest], root: Path) -> Iterator[str]:
    """Yield one sentence for everything in one build that would scale badly or not at all."""
    deployments = of_kind("Deployment", manifests)
    scalers = [m for m in manifests if m["kind"] in {"ScaledObject", "HorizontalPodAutoscaler"}]
    taken: set[str] = set()
    for scaler in scalers:
        name, target = f"{scaler['kind']} {scaler['metadata']['name']}", scaler["spec"]["scaleTargetRef"]["name"]
        if target not in deployments:
            yield f"{name} scales {target}, which is not there"
            continue
        if target in taken:
            yield f"{name} scales {target}, which another scales already"
        taken.add(target)
        if "replicas" in deployments[target]["spec"]:
            yield f"{target} states its replicas and is scaled: each apply would set them back"
        if scaler["kind"] == "ScaledObject":
            yield from (f"{name}: {problem}" for problem in _demand_problems(scaler, target, manifests, root))
    yield from _gateway_problems(manifests, root)
    yield from _scrape_problems(manifests)


def _demand_problems(scaler: Manifest, target: str, manifests: Sequence[Manifest], root: Path) -> Iterator[str]:
    spec = scaler["spec"]
    if spec.get("minReplicaCount", 0) == 0 and target not in _MAY_SLEEP:
        yield "may go to zero; without it no request is answered"
    if "fallback" not in spec:
        yield "does not say what holds while Prometheus is down"
    elif spec["fallback"]["replicas"] < max(1, spec.get("minReplicaCount", 0)):
        yield "falls back to fewer than its least"
    given = settings_given(target, manifests, root)
    room = int(given["concurrency"]) + int(given["queue"])
    for trigger in spec["triggers"]:
        metadata = trigger["metadata"]
        yield from metric_names.problems(metadata["query"])
        if metadata.get("ignoreNullValues") != "false":
            yield "takes a Prometheus that knows nothing for a stage that nobody wants (ignoreNullValues)"
        if f'stage="{target}"' not in metadata["query"]:
            yield f"does not ask for the stage {target}"
        if float(metadata["threshold"]) >= room:
            yield f"wants {metadata['threshold']} calls a pod, which takes no more than {room}"


def _gateway_problems(manifests: Sequence[Manifest], root: Path) -> Iterator[str]:
    gateway = of_kind("Deployment", manifests).get("gateway")
    if gateway is None or gateway["spec"].get("replicas", 1) == 1:
        return
    variables = {entry["name"] for entry in pod_of(gateway)["containers"][0].get("env", [])}
    if "UNFLAT_STORE" not in variables:
        yield "several gateways without a common store: each would know its own jobs and receipts only"


def _scrape_problems(manifests: Sequence[Manifest]) -> Iterator[str]:
    for name, monitor in of_kind("PodMonitor", manifests).items():
        chosen = monitor["spec"]["selector"].get("matchLabels", {}).items()
        pods = [d["spec"]["template"] for d in of_kind("Deployment", manifests).values()]
        read = [pod for pod in pods if chosen <= pod["metadata"]["labels"].items()]
        if len(read) != len(pods):
            yield f"PodMonitor {name} reads {len(read)} of {len(pods)} Deployments"
        for endpoint in monitor["spec"]["podMetricsEndpoints"]:
            for pod in read:
                container = pod["spec"]["containers"][0]
                if endpoint["port"] not in [port["name"] for port in container["ports"]]:
                    yield f"PodMonitor {name} reads port {endpoint['port']} of {container['name']}, which it has not"
    for name, rules in of_kind("PrometheusRule", manifests).items():
        for group in rules["spec"]["groups"]:
            for rule in group["rules"]:
                yield from (f"PrometheusRule {name}: {problem}" for problem in metric_names.problems(str(rule["expr"])))
