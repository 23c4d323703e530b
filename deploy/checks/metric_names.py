"""The metrics that a PromQL expression names, held against those that services have."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache

from prometheus_client import Counter, Gauge, Histogram

from services.common.telemetry import metrics

_SELECTOR = re.compile(r"\b(unflat_\w+)(?:\{([^}]*)\})?")
_MATCHER = re.compile(r'(\w+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"')
_PARTS = ("_bucket", "_sum", "_count")
_OF_THE_SCRAPE = {"namespace", "pod", "container", "job", "instance", "endpoint", "app_kubernetes_io_name", "le"}


@cache
def known() -> Mapping[str, frozenset[str]]:
    """Return every metric's name as it is queried, and its labels."""
    found: dict[str, frozenset[str]] = {}
    for metric in vars(metrics).values():
        if not isinstance(metric, Counter | Gauge | Histogram):
            continue
        name, labels = metric._name, frozenset(metric._labelnames)
        suffixes = _PARTS if isinstance(metric, Histogram) else ("_total",) if isinstance(metric, Counter) else ("",)
        found |= {name + suffix: labels for suffix in suffixes}
    return found


def problems(expression: str) -> Iterator[str]:
    """Yield one sentence for each metric or label of `expression` that no service has."""
    for name, matchers in _SELECTOR.findall(expression):
        if name not in known():
            yield f"asks for {name}, which no service has"
            continue
        for label, _ in _MATCHER.findall(matchers):
            if label not in known()[name] | _OF_THE_SCRAPE:
                yield f"asks for {name} by {label}; it has {', '.join(sorted(known()[name])) or 'no labels'}"
