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
        own = policy["spec"]["podSelector"].get("matchLabels", {}).get(_NAME)
        for rule in policy["spec"].get(direction, []):
            for peer in (_peer(peer) for peer in rule.get(end, [{}])):
                if own is None or peer is None:
                    continue
                for port in rule.get("ports", []):
                    edges.add((peer, own, port["port"]) if direction == "ingress" else (own, peer, port["port"]))
    return edges


def problems(manifests: Sequence[Manifest]) -> Iterator[str]:
    """Yield one sentence for each needed edge that is denied and each allowed one that nobody needs."""
    policies = of_kind("NetworkPolicy", manifests)
    denies_all = [p for p in policies.values() if not {"ingress", "egress"} & set(p["spec"])]
    if not denies_all:
        return
    if any(set(policy["spec"]["policyTypes"]) != {"Ingress", "Egress"} for policy in denies_all):
        yield "the default policy does not deny both directions"
    needed = needed_edges(manifests)
    inside, outside = allowed_edges(manifests, "ingress"), allowed_edges(manifests, "egress")
    for edge in sorted(needed - (inside & outside)):
        yield "{} needs {}:{}, which the policies do not let through".format(*edge)
    for edge in sorted((inside | outside) - needed):
        if edge[0] != _ANYWHERE and edge[1] != _ANYWHERE:
            yield "the policies let {} reach {}:{}, which it has no use for".format(*edge)
        elif edge[0] == _ANYWHERE and edge[1] != "gateway":
            yield "the policies let anyone reach {}:{}".format(*edge[1:])


def _peer(peer: Mapping[str, Any]) -> str | None:
    """Return the service's name, "anywhere", or None for a pod of someone else's namespace."""
    if not peer:
        return _ANYWHERE
    if "namespaceSelector" in peer:
        return None
    name: str | None = peer.get("podSelector", {}).get("matchLabels", {}).get(_NAME)
    return name or _ANYWHERE
