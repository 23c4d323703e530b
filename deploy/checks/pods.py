"""Pods held against what runs in them: settings, ports, probes, the time to stop, memory, images, weights, neighbours.

Each of these applies without a complaint and hurts later: a misspelt variable leaves the default, a wrong probe never
lets a pod serve, a short grace kills photos on their way.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from typing import Any

from deploy.checks.manifests import (
    ROOT,
    Manifest,
    addresses_of,
    container_of,
    grpc_services,
    image_variables,
    of_kind,
    pod_of,
    settings_of,
    variables_of,
)
from services.common.environment import SERVICES, field_of
from services.common.models.manifest import BY_NAME

_PORT_VARIABLES = {
    "grpc": "UNFLAT_PORT",
    "http": "UNFLAT_PORT",
    "health": "UNFLAT_HEALTH_PORT",
    "metrics": "UNFLAT_METRICS_PORT",
}
_VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
_UNITS = {"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30}


def problems(manifests: Sequence[Manifest]) -> Iterator[str]:
    """Yield one sentence for everything in one build that does not fit."""
    deployments = of_kind("Deployment", manifests)
    if set(deployments) != set(SERVICES):
        yield f"Deployments are {sorted(deployments)}; wanted {sorted(SERVICES)}"
        return
    for name, deployment in deployments.items():
        found = [
            *_variable_problems(name, deployment, manifests),
            *_port_problems(name, deployment),
            *_probe_problems(name, deployment),
            *_time_and_memory_problems(name, deployment, manifests),
            *_image_problems(deployment),
            *_neighbour_problems(name, deployment, manifests),
        ]
        yield from (f"{name}: {problem}" for problem in found)


def _variable_problems(name: str, deployment: Manifest, manifests: Sequence[Manifest]) -> Iterator[str]:
    own = {entry["name"] for entry in container_of(deployment).get("env", [])}
    for variable in variables_of(deployment, manifests) | image_variables(name):
        wanted = [name] if variable in own else SERVICES  # what all pods share needs to mean something to one
        if variable.startswith("UNFLAT_") and not any(field_of(variable, service) for service in wanted):
            yield f"{variable} sets nothing"


def _port_problems(name: str, deployment: Manifest) -> Iterator[str]:
    image = image_variables(name)
    for port in container_of(deployment)["ports"]:
        listened = image[_PORT_VARIABLES[port["name"]]]
        if listened != str(port["containerPort"]):
            yield f"port {port['name']} is {port['containerPort']}; its image listens on {listened}"
    annotations = deployment["spec"]["template"]["metadata"]["annotations"]
    if annotations["prometheus.io/port"] != image["UNFLAT_METRICS_PORT"]:
        yield f"prometheus.io/port is {annotations['prometheus.io/port']}; wanted {image['UNFLAT_METRICS_PORT']}"


def _probe_problems(name: str, deployment: Manifest) -> Iterator[str]:
    """Serving is asked by the name in the protos, liveness for the process alone: no model is a reason to restart."""
    container = container_of(deployment)
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    own = next((s for s in grpc_services() if s.rpartition(".")[2].lower() == f"{name}service"), "")
    wanted = {"startupProbe": own if name != "depth" else "", "readinessProbe": own, "livenessProbe": ""}
    for kind, service in wanted.items():
        probe = container[kind]
        if "httpGet" not in probe and probe["grpc"] != {"port": ports["health"], "service": service}:
            yield f"{kind} asks {probe['grpc']}; wanted {service!r} on the health port {ports['health']}"


def _time_and_memory_problems(name: str, deployment: Manifest, manifests: Sequence[Manifest]) -> Iterator[str]:
    given: Any = settings_of(name, manifests)
    orchestrator: Any = settings_of("orchestrator", manifests)
    drain_s, grace_s = getattr(given, "drain_s", 0.0), given.grace_s
    if grace_s < orchestrator.budget_s:
        yield f"running calls get {grace_s:g} s at the end; a request may take {orchestrator.budget_s:g} s"
    killed_s = pod_of(deployment)["terminationGracePeriodSeconds"]
    if killed_s <= drain_s + grace_s:
        yield f"is killed after {killed_s} s; it may need {drain_s:g} + {grace_s:g} s to stop"
    if name == "orchestrator":
        limit = container_of(deployment)["resources"]["limits"]["memory"]
        if given.decoders * given.decoder_memory_mb << 20 >= int(limit[:-2]) * _UNITS[limit[-2:]]:
            yield f"its decoders together may outgrow the container's {limit}, which would kill all of it"


def _image_problems(deployment: Manifest) -> Iterator[str]:
    pod = pod_of(deployment)
    for container in (*pod.get("initContainers", []), *pod["containers"]):
        image, _, tag = container["image"].partition(":")
        has_gpu = any(name.startswith("nvidia.com/") for name in container["resources"].get("limits", {}))
        wanted = f"{_VERSION}-cuda" if has_gpu else _VERSION
        if tag != wanted:
            yield f"image {image} has the tag {tag or 'latest'}; wanted {wanted}"
        arguments = container.get("args", [])
        for model in arguments[2:] if arguments[:2] == ["models", "pull"] else []:
            if not model.startswith("-") and model not in BY_NAME:
                yield f"container {container['name']} pulls {model}, which is not in the manifest of models"
    for volume in pod.get("volumes", []):  # patches of two components merge into one volume
        if len(volume) != 2:
            yield f"volume {volume['name']} has {len(volume) - 1} sources"


def _neighbour_problems(name: str, deployment: Manifest, manifests: Sequence[Manifest]) -> Iterator[str]:
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    ports = {port["name"]: port["containerPort"] for port in container_of(deployment)["ports"]}
    services = of_kind("Service", manifests)
    service, budget = services[name]["spec"], of_kind("PodDisruptionBudget", manifests)[name]["spec"]
    if not service["selector"].items() | budget["selector"]["matchLabels"].items() <= labels.items():
        yield "its Service or its PodDisruptionBudget does not select its pods"
    if "grpc" in ports and service.get("clusterIP") != "None":
        yield "its Service is not headless: gRPC calls would all go to one pod"
    if any(ports.get(port["targetPort"]) != port["port"] for port in service["ports"]):
        yield "its Service has a port that its pods have not"
    for variable, (target, port) in addresses_of(deployment, manifests).items():
        if target not in services or port not in [p["port"] for p in services[target]["spec"]["ports"]]:
            yield f"{variable} names {target}:{port}, which no Service offers"
