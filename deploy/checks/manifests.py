"""What schemas cannot see: manifests held against the images, the settings, the protos and each other."""

from __future__ import annotations

import importlib
import pkgutil
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from deploy.checks.dockerfiles import Image, read_image
from deploy.checks.settings_fields import SERVICES, field_of, settings_of
from services.common.models.manifest import BY_NAME

Manifest = Mapping[str, Any]

_PORT_VARIABLES = {
    "grpc": "UNFLAT_PORT",
    "http": "UNFLAT_PORT",
    "health": "UNFLAT_HEALTH_PORT",
    "metrics": "UNFLAT_METRICS_PORT",
}
_ADDRESS = re.compile(r"(?:dns:///|redis://:\$\(\w+\)@)([a-z0-9-]+):(\d+)(?:/\d+)?")
_REFERENCE = re.compile(r"\$\((\w+)\)")
_UNITS = {"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30}


def of_kind(kind: str, manifests: Sequence[Manifest]) -> dict[str, Manifest]:
    """Return the manifests of one kind by name."""
    return {m["metadata"]["name"]: m for m in manifests if m["kind"] == kind}


def pod_of(deployment: Manifest) -> Manifest:
    """Return the pod spec of a Deployment or StatefulSet."""
    pod: Manifest = deployment["spec"]["template"]["spec"]
    return pod


def environment_of(container: Manifest, manifests: Sequence[Manifest]) -> dict[str, str]:
    """Return the variables of a container, those of its ConfigMaps first; fields of the pod stand as ""."""
    maps = of_kind("ConfigMap", manifests)
    found: dict[str, str] = {}
    for source in container.get("envFrom", []):
        found |= maps.get(source["configMapRef"]["name"], {}).get("data", {})
    return found | {entry["name"]: entry.get("value", "") for entry in container.get("env", [])}


def addresses_of(container: Manifest, manifests: Sequence[Manifest]) -> dict[str, tuple[str, int]]:
    """Return which service and port each variable of a container names, by gRPC's or Redis's form of address."""
    found = {}
    for name, value in environment_of(container, manifests).items():
        match = _ADDRESS.fullmatch(value)
        if match:
            found[name] = (match.group(1), int(match.group(2)))
    return found


def settings_given(name: str, manifests: Sequence[Manifest], root: Path) -> dict[str, Any]:
    """Return the settings of a service as one build gives them: its variables over its defaults."""
    found = dict(settings_of(name, root))
    deployment = of_kind("Deployment", manifests).get(name)
    variables = {} if deployment is None else environment_of(pod_of(deployment)["containers"][0], manifests)
    for variable, value in variables.items():
        field = field_of(variable, name, found)
        if field is not None and value:
            found[field] = value
    return found


@cache
def grpc_services() -> frozenset[str]:
    """Return the full names of all services of the protos, from the generated code."""
    package = importlib.import_module("unflat.v1")
    modules = [m.name for m in pkgutil.iter_modules(package.__path__) if m.name.endswith("_pb2")]
    descriptors = [importlib.import_module(f"unflat.v1.{name}").DESCRIPTOR for name in modules]
    return frozenset(s.full_name for d in descriptors for s in d.services_by_name.values())


def problems(manifests: Sequence[Manifest], root: Path) -> Iterator[str]:
    """Yield one sentence for everything in one build that does not fit."""
    deployments = of_kind("Deployment", manifests)
    if set(deployments) != set(SERVICES):
        yield f"Deployments are {sorted(deployments)}; wanted {sorted(SERVICES)}"
    for name, deployment in deployments.items():
        if name not in SERVICES:
            continue
        found = [
            *_pod_problems(deployment),
            *_image_problems(name, deployment, root),
            *_environment_problems(name, deployment, manifests, root),
            *_probe_problems(name, deployment, root),
            *_budget_problems(name, deployment, manifests, root),
            *_companion_problems(name, deployment, manifests),
            *_weights_problems(deployment),
        ]
        yield from (f"{name}: {problem}" for problem in found)
    for name, workload in of_kind("StatefulSet", manifests).items():
        yield from (f"{name}: {problem}" for problem in _container_problems(workload))


def _pod_problems(deployment: Manifest) -> Iterator[str]:
    pod = pod_of(deployment)
    wanted = {"enableServiceLinks": False, "automountServiceAccountToken": False}
    yield from (f"{key} is not {value}" for key, value in wanted.items() if pod.get(key) is not value)
    context = pod.get("securityContext", {})
    if not context.get("runAsNonRoot") or context.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        yield "the pod is not restricted to non-root and seccomp RuntimeDefault"
    if not pod.get("topologySpreadConstraints"):
        yield "nothing spreads its pods"
    yield from _container_problems(deployment)


def _container_problems(workload: Manifest) -> Iterator[str]:
    pod = pod_of(workload)
    for container in (*pod.get("initContainers", []), *pod["containers"]):
        own = container.get("securityContext", {})
        is_tight = own.get("readOnlyRootFilesystem") is True and own.get("allowPrivilegeEscalation") is False
        if not is_tight or own.get("capabilities", {}).get("drop") != ["ALL"]:
            yield f"container {container['name']} may write its root, gain privileges or keep capabilities"
        resources = container.get("resources", {})
        if not {"cpu", "memory"} <= set(resources.get("requests", {})) or "memory" not in resources.get("limits", {}):
            yield f"container {container['name']} lacks requests or a memory limit"
        if len(_gpu_of(container)) > 1:
            yield f"container {container['name']} asks for GPUs of several kinds: {', '.join(_gpu_of(container))}"
        if "/tmp" not in [mount["mountPath"] for mount in container.get("volumeMounts", [])]:
            yield f"container {container['name']} has no /tmp to write to"


def _image_problems(name: str, deployment: Manifest, root: Path) -> Iterator[str]:
    version = _version(root)
    pod = pod_of(deployment)
    for container in (*pod.get("initContainers", []), *pod["containers"]):
        image, _, tag = container["image"].partition(":")
        dockerfile = "all-in-one" if image == "unflat" else image.removeprefix("unflat-")
        if not (root / f"deploy/docker/{dockerfile}.Dockerfile").is_file():
            yield f"image {image} has no Dockerfile"
        wanted = f"{version}-cuda" if _gpu_of(container) else version
        if tag != wanted:
            yield f"image {image} has the tag {tag or 'latest'}; wanted {wanted}"
    if pod["containers"][0]["image"].partition(":")[0] != f"unflat-{name}":
        yield f"runs {pod['containers'][0]['image']}"
    image_file = _image(name, root)
    for port in pod["containers"][0].get("ports", []):
        listened = image_file.environment.get(_PORT_VARIABLES.get(port["name"], ""))
        if listened != str(port["containerPort"]) or port["containerPort"] not in image_file.ports:
            yield f"port {port['name']} is {port['containerPort']}; its image listens on {listened}"
    annotations = deployment["spec"]["template"]["metadata"].get("annotations", {})
    if annotations.get("prometheus.io/port") != image_file.environment["UNFLAT_METRICS_PORT"]:
        yield "prometheus.io/port is not the metrics port of its image"


def _environment_problems(name: str, deployment: Manifest, manifests: Sequence[Manifest], root: Path) -> Iterator[str]:
    container = pod_of(deployment)["containers"][0]
    fields = {service: settings_of(service, root) for service in SERVICES}
    for variable in _unflat(entry["name"] for entry in container.get("env", [])):
        if field_of(variable, name, fields[name]) is None:
            yield f"{variable} sets nothing in this service"
    before: set[str] = set()
    for entry in container.get("env", []):
        for reference in set(_REFERENCE.findall(entry.get("value", ""))) - before:
            yield f"{entry['name']} names $({reference}), which does not stand before it"
        before.add(entry["name"])
    for source in container.get("envFrom", []):
        shared = of_kind("ConfigMap", manifests).get(source["configMapRef"]["name"])
        if shared is None:
            yield f"ConfigMap {source['configMapRef']['name']} is not in the build"
            continue
        for variable in shared.get("data", {}):
            if not any(field_of(variable, service, fields[service]) for service in SERVICES):
                yield f"{variable} of {source['configMapRef']['name']} sets nothing in any service"
    for variable in _unflat(_image(name, root).environment):
        if field_of(variable, name, fields[name]) is None and variable != "UNFLAT_MODELS":
            yield f"{variable} of its image sets nothing in this service"


def _probe_problems(name: str, deployment: Manifest, root: Path) -> Iterator[str]:
    container = pod_of(deployment)["containers"][0]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    own = [s for s in grpc_services() if s.rpartition(".")[2].lower() == f"{name}service"]
    wanted = {"startupProbe": own, "readinessProbe": own, "livenessProbe": [""]}
    if name == "depth":
        wanted["startupProbe"] = [""]  # no weights is no reason to restart it
    for kind, services in wanted.items():
        probe = container.get(kind, {})
        if "httpGet" in probe:
            path = probe["httpGet"]["path"]
            sources = (root / "services" / name).rglob("*.py")
            if probe["httpGet"]["port"] not in ports or not any(f'"{path}"' in s.read_text("utf-8") for s in sources):
                yield f"{kind} asks {path} on {probe['httpGet']['port']}, which is not there"
        elif "grpc" not in probe:
            yield f"has no {kind}"
        elif probe["grpc"]["port"] != ports.get("health") or probe["grpc"].get("service", "") not in services:
            yield f"{kind} asks {probe['grpc']}; wanted {services} on the health port {ports.get('health')}"


def _budget_problems(name: str, deployment: Manifest, manifests: Sequence[Manifest], root: Path) -> Iterator[str]:
    pod = pod_of(deployment)
    container = pod["containers"][0]
    given = settings_given(name, manifests, root)
    longest = settings_given("orchestrator", manifests, root)["budget_s"]
    pre_stop = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    drain, grace = float(given.get("drain_s") or 0), float(given.get("grace_s") or 0)
    if grace < float(longest):
        yield f"running calls get {grace:g} s at the end; a request may take {float(longest):g} s"
    if pod["terminationGracePeriodSeconds"] <= pre_stop + drain + grace:
        yield (
            f"is killed after {pod['terminationGracePeriodSeconds']} s; "
            f"it may need {pre_stop:g} + {drain:g} + {grace:g} s to stop"
        )
    if "decoders" in given:
        limit = _bytes(container["resources"]["limits"]["memory"])
        if int(given["decoders"]) * int(given["decoder_memory_mb"]) << 20 >= limit:
            yield "its decoders together may outgrow the container's memory, which would kill all of it"


def _companion_problems(name: str, deployment: Manifest, manifests: Sequence[Manifest]) -> Iterator[str]:
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    if not deployment["spec"]["selector"]["matchLabels"].items() <= labels.items():
        yield "its selector does not match its pods"
    container = pod_of(deployment)["containers"][0]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    services = of_kind("Service", manifests)
    service = services.get(name)
    if service is None or not service["spec"]["selector"].items() <= labels.items():
        yield "no Service of its name selects its pods"
    else:
        if "grpc" in ports and service["spec"].get("clusterIP") != "None":
            yield "its Service is not headless: gRPC calls would all go to one pod"
        if any(ports.get(port["targetPort"]) != port["port"] for port in service["spec"]["ports"]):
            yield "its Service has a port that its pods have not"
    budget = of_kind("PodDisruptionBudget", manifests).get(name)
    if budget is None or not budget["spec"]["selector"]["matchLabels"].items() <= labels.items():
        yield "no PodDisruptionBudget of its name selects its pods"
    for variable, (target, port) in addresses_of(container, manifests).items():
        if target not in services or port not in [p["port"] for p in services[target]["spec"]["ports"]]:
            yield f"{variable} names {target}:{port}, which no Service offers"


def _weights_problems(deployment: Manifest) -> Iterator[str]:
    for container in pod_of(deployment).get("initContainers", []):
        arguments = container.get("args", [])
        for model in arguments[2:] if arguments[:2] == ["models", "pull"] else []:
            if not model.startswith("-") and model not in BY_NAME:
                yield f"container {container['name']} pulls {model}, which is not in the manifest of models"


@cache
def _version(root: Path) -> str:
    with (root / "pyproject.toml").open("rb") as file:
        version: str = tomllib.load(file)["project"]["version"]
    return version


@cache
def _image(name: str, root: Path) -> Image:
    return read_image(root / f"deploy/docker/{name}.Dockerfile")


def _gpu_of(container: Manifest) -> list[str]:
    """Return the GPU resources that a container asks for: whole cards, shares or partitions."""
    return [name for name in container.get("resources", {}).get("limits", {}) if name.startswith("nvidia.com/")]


def _unflat(names: Any) -> Iterator[str]:
    return (name for name in names if name.startswith("UNFLAT_"))


def _bytes(quantity: str) -> int:
    return int(quantity[:-2]) * _UNITS[quantity[-2:]]
