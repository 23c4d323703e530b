"""Who talks to whom: the addresses that services are given, held against what network policies allow.

No schema sees a policy that cuts a stage off, or one that opens a stage to anybody. Only policies of unflat's own shape
are understood: pods chosen by `app.kubernetes.io/name` or, for all, by part-of.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from deploy.checks.manifests import Manifest, addresses_of, of_kind

Edge = tuple[str, str, int]  # from, to, port

_NAME = "app.kubernetes.io/name"
_ANYWHERE = "anywhere"
_EVERYONE = "everyone"


def problems(manifests: Sequence[Manifest]) -> Iterator[str]:
    """Yield one sentence for each needed edge that is denied and each allowed one that nobody needs."""
    needed = needed_edges(manifests)
    inside, outside = allowed_edges(manifests, "Ingress"), allowed_edges(manifests, "Egress")
    denied = {edge for edge in needed - outside if edge[0] in _confined(manifests, "Egress")}
    denied |= {edge for edge in needed - inside if edge[1] in _confined(manifests, "Ingress")}
    for edge in sorted(denied):
        yield "{} needs {}:{}, which the policies do not let through".format(*edge)
    for source, target, port in sorted((inside | outside) - needed):
        if target != _ANYWHERE and (source, target) != (_ANYWHERE, "gateway"):
            yield f"the policies let {source} reach {target}:{port}, which it has no use for"


def needed_edges(manifests: Sequence[Manifest]) -> set[Edge]:
    """Return the connections that the addresses in the environment ask for."""
    return {
        (name, target, port)
        for name, deployment in of_kind("Deployment", manifests).items()
        for target, port in addresses_of(deployment, manifests).values()
    }


def allowed_edges(manifests: Sequence[Manifest], direction: Literal["Ingress", "Egress"]) -> set[Edge]:
    """Return the connections between pods of unflat that policies allow, as seen from one end."""
    edges = set()
    for policy in of_kind("NetworkPolicy", manifests).values():
        for rule in policy["spec"].get(direction.lower(), []):
            peers = [_peer(peer) for peer in rule.get("from" if direction == "Ingress" else "to", [{}])]
            for own in _chosen(policy):
                for peer in peers:
                    if own != _EVERYONE and peer is not None:
                        ends = (peer, own) if direction == "Ingress" else (own, peer)
                        edges |= {(*ends, port["port"]) for port in rule["ports"]}
    return edges


def _confined(manifests: Sequence[Manifest], direction: str) -> set[str]:
    """Return the pods, by name, that may only do in `direction` what policies allow."""
    policies = of_kind("NetworkPolicy", manifests).values()
    chosen = {name for policy in policies if direction in policy["spec"]["policyTypes"] for name in _chosen(policy)}
    return set(of_kind("Deployment", manifests)) | chosen if _EVERYONE in chosen else chosen


def _chosen(policy: Manifest) -> list[str]:
    """Return the names of the pods that a policy is about; of all of unflat, one word."""
    selector = policy["spec"]["podSelector"]
    name = selector.get("matchLabels", {}).get(_NAME)
    by_expression = [v for e in selector.get("matchExpressions", []) if e["key"] == _NAME for v in e["values"]]
    return [name] if name else by_expression or [_EVERYONE]


def _peer(peer: Mapping[str, Any]) -> str | None:
    """Return the service's name, "anywhere", or None for a pod of someone else's namespace."""
    if "namespaceSelector" in peer:
        return None
    name: str = peer.get("podSelector", {}).get("matchLabels", {}).get(_NAME, _ANYWHERE)
    return name
