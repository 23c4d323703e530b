"""Who scales what, by which measure: replicas that apply without a complaint and go wrong at night."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from deploy.checks import metric_names
from deploy.checks.manifests import Manifest, container_of, of_kind, settings_of, variables_of

_MAY_SLEEP = {"depth"}  # an improvement, never a condition: the only one whose absence is no error


def problems(manifests: Sequence[Manifest]) -> Iterator[str]:
    """Yield one sentence for everything in one build that would scale badly or not at all."""
    deployments = of_kind("Deployment", manifests)
    for name, scaler in of_kind("ScaledObject", manifests).items():
        target = scaler["spec"]["scaleTargetRef"]["name"]
        if "replicas" in deployments[target]["spec"]:
            yield f"{target} states its replicas and is scaled: each apply would set them back"
        yield from (f"ScaledObject {name}: {problem}" for problem in _demand_problems(scaler, target, manifests))
    gateway = deployments["gateway"]
    if gateway["spec"].get("replicas", 1) > 1 and "UNFLAT_STORE" not in variables_of(gateway, manifests):
        yield "several gateways without a common store: each would know its own jobs and receipts only"
    yield from _scrape_problems(manifests)


def _demand_problems(scaler: Manifest, target: str, manifests: Sequence[Manifest]) -> Iterator[str]:
    spec, given = scaler["spec"], settings_of(target, manifests)
    least: int = spec.get("minReplicaCount", 0)
    if least == 0 and target not in _MAY_SLEEP:
        yield "may go to zero; without it no request is answered"
    if spec.get("fallback", {}).get("replicas", 0) < max(1, least):
        yield "does not keep its least while Prometheus is down (fallback)"
    room = _room(given)
    for metadata in (trigger["metadata"] for trigger in spec["triggers"]):
        yield from metric_names.problems(metadata["query"])
        if metadata.get("ignoreNullValues") != "false":
            yield "takes a Prometheus that knows nothing for a stage that nobody wants (ignoreNullValues)"
        if f'stage="{target}"' not in metadata["query"]:
            yield f"does not ask for the stage {target}"
        if float(metadata["threshold"]) >= room:
            yield f"wants {metadata['threshold']} calls a pod, which takes no more than {room}"


def _room(given: Any) -> int:
    calls: int = given.concurrency + given.queue
    return calls


def _scrape_problems(manifests: Sequence[Manifest]) -> Iterator[str]:
    deployments = of_kind("Deployment", manifests)
    for name, monitor in of_kind("PodMonitor", manifests).items():
        chosen = monitor["spec"]["selector"]["matchLabels"].items()
        ports = {endpoint["port"] for endpoint in monitor["spec"]["podMetricsEndpoints"]}
        for service, deployment in deployments.items():
            offered = {port["name"] for port in container_of(deployment)["ports"]}
            if not (chosen <= deployment["spec"]["template"]["metadata"]["labels"].items() and ports <= offered):
                yield f"PodMonitor {name} does not read {service}"
    for name, rules in of_kind("PrometheusRule", manifests).items():
        for rule in (rule for group in rules["spec"]["groups"] for rule in group["rules"]):
            yield from (f"PrometheusRule {name}: {problem}" for problem in metric_names.problems(str(rule["expr"])))
