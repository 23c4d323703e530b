"""Who talks to whom: the addresses that services are given, held against what network policies allow.

Only policies of unflat's own shape are understood: pods chosen by `app.kubernetes.io/name` or, for all, by part-of.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from deploy.checks.manifests import Manifest, addresses_of, of_kind, pod_of

Edge = tuple[str, str, int]  # from, to, port

_NAME = "app.kubernetes.io/name"
_ANYWHERE = "anywhere"
_EVERYONE = "everyone"


def needed_edges(manifests: Sequence[Manifest]) -> set[Edge]:
    """Return the connections that the addresses in the environment ask for."""
    return {
        (name, target, port)
        for name, deployment in of_kind("Deployment", manifests).items()
        for target, port in addresses_of(pod_of(deployment)["containers"][0], manifests).values()
    }


def allowed_edges(manifests: Sequence[Manifest], direction: str) -> set[Edge]:
    """Return the connections between pods of unflat that policies allow, as seen from one end.

    Args:
        manifests: one build.
        direction: "ingress" or "egress".
    """
    end = "from" if direction == "ingress" else "to"
    edges = set()
    for policy in of_kind("NetworkPolicy", manifests).values():
        for rule in policy["spec"].get(direction, []):
            for peer in (_peer(peer) for peer in rule.get(end, [{}])):
                for own in _chosen(policy):
                    if own == _EVERYONE or peer is None:
                        continue
                    for port in rule.get("ports", []):
                        edges.add((peer, own, port["port"]) if direction == "ingress" else (own, peer, port["port"]))
    return edges


def confined(manifests: Sequence[Manifest], direction: str) -> set[str]:
    """Return the pods, by name, that may only do in `direction` what policies allow."""
    chosen = {
        name
        for policy in of_kind("NetworkPolicy", manifests).values()
        if direction.capitalize() in policy["spec"]["policyTypes"]
        for name in _chosen(policy)
    }
    return set(of_kind("Deployment", manifests)) | chosen if _EVERYONE in chosen else chosen


def problems(manifests: Sequence[Manifest]) -> Iterator[str]:
    """Yield one sentence for each needed edge that is denied and each allowed one that nobody needs."""
    policies = of_kind("NetworkPolicy", manifests)
    if not policies:
        return
    denies_all = [p for p in policies.values() if not {"ingress", "egress"} & set(p["spec"])]
    if any(set(policy["spec"]["policyTypes"]) != {"Ingress", "Egress"} for policy in denies_all):
        yield "the default policy does not deny both directions"
    needed = needed_edges(manifests)
    inside, outside = allowed_edges(manifests, "ingress"), allowed_edges(manifests, "egress")
    denied = {edge for edge in needed - outside if edge[0] in confined(manifests, "egress")}
    denied |= {edge for edge in needed - inside if edge[1] in confined(manifests, "ingress")}
    for edge in sorted(denied):
        yield "{} needs {}:{}, which the policies do not let through".format(*edge)
    for edge in sorted((inside | outside) - needed):
        if edge[0] != _ANYWHERE and edge[1] != _ANYWHERE:
            yield "the policies let {} reach {}:{}, which it has no use for".format(*edge)
        elif edge[0] == _ANYWHERE and edge[1] != "gateway":
            yield "the policies let anyone reach {}:{}".format(*edge[1:])


def _chosen(policy: Manifest) -> list[str]:
    """Return the names of the pods that a policy is about; of all of unflat, one word."""
    selector = policy["spec"]["podSelector"]
    name = selector.get("matchLabels", {}).get(_NAME)
    by_expression = [v for e in selector.get("matchExpressions", []) if e["key"] == _NAME for v in e["values"]]
    return [name] if name else by_expression or [_EVERYONE]


def _peer(peer: Mapping[str, Any]) -> str | None:
    """Return the service's name, "anywhere", or None for a pod of someone else's namespace."""
    if not peer:
        return _ANYWHERE
    if "namespaceSelector" in peer:
        return None
    name: str | None = peer.get("podSelector", {}).get("matchLabels", {}).get(_NAME)
    return name or _ANYWHERE
