"""The way in: Ingress and Gateway API routes, held against the gateway's Service and what it takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from deploy.checks.manifests import Manifest, of_kind, settings_given
from services.common.client import DEFAULT_TIMEOUT_S

_BODY = "nginx.ingress.kubernetes.io/proxy-body-size"
_READ_S = "nginx.ingress.kubernetes.io/proxy-read-timeout"


def problems(manifests: Sequence[Manifest], root: Path) -> Iterator[str]:
    """Yield one sentence for each route that leads nowhere or lets less through than the gateway takes."""
    services = of_kind("Service", manifests)
    ports = {name: {p["name"]: p["port"] for p in service["spec"]["ports"]} for name, service in services.items()}
    if "gateway" not in of_kind("Deployment", manifests):
        return
    given = settings_given("gateway", manifests, root)
    longest_s = float(given["timeout_s"] or DEFAULT_TIMEOUT_S)
    for ingress in of_kind("Ingress", manifests).values():
        for path in (path for rule in ingress["spec"]["rules"] for path in rule["http"]["paths"]):
            backend = path["backend"]["service"]
            if backend["port"]["name"] not in ports.get(backend["name"], {}):
                yield f"the Ingress leads to {backend['name']}:{backend['port']['name']}, which no Service offers"
        annotations = ingress["metadata"].get("annotations", {})
        if _mib(annotations.get(_BODY, "1m")) < int(given["max_upload_mb"]):
            yield f"the Ingress refuses bodies above {annotations.get(_BODY, '1m')}; the gateway takes more"
        if float(annotations.get(_READ_S, "60")) < longest_s:
            yield f"the Ingress waits {annotations.get(_READ_S, '60')} s; an answer may take {longest_s:g} s"
    for route in of_kind("HTTPRoute", manifests).values():
        gateways = of_kind("Gateway", manifests)
        for parent in route["spec"]["parentRefs"]:
            listeners = gateways.get(parent["name"], {}).get("spec", {}).get("listeners", [])
            if parent.get("sectionName") not in [listener["name"] for listener in listeners]:
                yield f"the HTTPRoute hangs on {parent['name']}/{parent.get('sectionName')}, which is not there"
        for rule in route["spec"]["rules"]:
            for backend in rule["backendRefs"]:
                if backend["port"] not in ports.get(backend["name"], {}).values():
                    yield f"the HTTPRoute leads to {backend['name']}:{backend['port']}, which no Service offers"
            allowed_s = float(rule.get("timeouts", {}).get("request", "0s").removesuffix("s"))
            if 0 < allowed_s < longest_s:
                yield f"the HTTPRoute gives up after {allowed_s:g} s; an answer may take {longest_s:g} s"


def _mib(size: str) -> int:
    return int(size.lower().removesuffix("m"))
