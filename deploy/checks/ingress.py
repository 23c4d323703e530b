"""The way in: Ingress and Gateway API routes let through what the gateway takes, for as long as an answer takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from deploy.checks.manifests import Manifest, of_kind, settings_of

_BODY = "nginx.ingress.kubernetes.io/proxy-body-size"
_READ_S = "nginx.ingress.kubernetes.io/proxy-read-timeout"


def problems(manifests: Sequence[Manifest]) -> Iterator[str]:
    """Yield one sentence for each route that leads nowhere or lets less through than the gateway takes."""
    gateway: Any = settings_of("gateway", manifests)
    longest_s = gateway.timeout_s
    ports = of_kind("Service", manifests)["gateway"]["spec"]["ports"]
    offered = {("gateway", port[key]) for port in ports for key in ("name", "port")}
    for ingress in of_kind("Ingress", manifests).values():
        annotations = ingress["metadata"].get("annotations", {})
        body_mb, read_s = int(annotations.get(_BODY, "1m").removesuffix("m")), float(annotations.get(_READ_S, "60"))
        if body_mb < gateway.max_upload_mb:
            yield f"the Ingress refuses bodies above {body_mb} MB; the gateway takes {gateway.max_upload_mb}"
        if read_s < longest_s:
            yield f"the Ingress waits {read_s:g} s; an answer may take {longest_s:g} s"
        for path in (path for rule in ingress["spec"]["rules"] for path in rule["http"]["paths"]):
            name, port = path["backend"]["service"]["name"], path["backend"]["service"]["port"]["name"]
            if (name, port) not in offered:
                yield f"the Ingress leads to {name}:{port}, which is no port of the gateway"
    for rule in (rule for route in of_kind("HTTPRoute", manifests).values() for rule in route["spec"]["rules"]):
        allowed_s = float(rule["timeouts"]["request"].removesuffix("s"))
        if allowed_s < longest_s:
            yield f"the HTTPRoute gives up after {allowed_s:g} s; an answer may take {longest_s:g} s"
        for backend in rule["backendRefs"]:
            if (backend["name"], backend["port"]) not in offered:
                yield f"the HTTPRoute leads to {backend['name']}:{backend['port']}, which is no port of the gateway"
