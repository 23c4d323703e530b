"""Service times of the stages, for planning: from receipts, from the metrics of running services, or from a file.

A service time is what a call takes of a replica: preprocess, compute and postprocess, without waiting and wire. The
orchestrator's is the sum of its own steps.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from deploy.capacity.plan import ORCHESTRATOR, StageTimes
from services.common.errors import InvalidOption, StageUnavailable
from unflat.v1 import orchestrator_pb2 as pb

_WAIT_S = 10.0
_PHASES = ("preprocess", "compute", "postprocess")
_LONGEST = 300.0  # seconds that stand for the open end of a histogram


def times_of(receipts: Sequence[pb.Receipt]) -> list[StageTimes]:
    """Return what receipts say of every stage that ran."""
    calls: dict[tuple[str, str, str], list[float]] = {}
    for receipt in receipts:
        for stage in receipt.stages:
            if stage.outcome == pb.OUTCOME_OK and stage.report.backend:
                key = (stage.stage, stage.report.backend, stage.report.device)
                calls.setdefault(key, []).append(service_s(stage))
        calls.setdefault((ORCHESTRATOR, "", ""), []).append(sum(step.seconds for step in receipt.steps))
    return [
        _from_samples(stage, backend, device, seconds, len(receipts))
        for (stage, backend, device), seconds in calls.items()
    ]


def service_s(stage: pb.StageReceipt) -> float:
    """Return what a call took of its stage, without waiting and wire."""
    t = stage.report.timings
    return t.preprocess_s + t.compute_s + t.postprocess_s


def scrape_times(urls: Iterable[str]) -> list[StageTimes]:
    """Return the times in the metrics of running services: each stage once, and the orchestrator.

    Raises:
        StageUnavailable: a URL does not answer.
        InvalidOption: nothing was measured there yet.
    """
    texts = []
    for url in urls:
        try:
            with urllib.request.urlopen(url, timeout=_WAIT_S) as answer:
                texts.append(answer.read().decode())
        except (OSError, ValueError, urllib.error.URLError) as problem:
            raise StageUnavailable(f"no metrics at {url}: {problem}") from None
    return times_in_metrics(texts)


def times_in_metrics(texts: Iterable[str]) -> list[StageTimes]:
    """Return the times in the metrics pages of several processes; variances are of the histograms' buckets.

    Raises:
        InvalidOption: no stage has worked yet.
    """
    phases: dict[tuple[str, str, str], dict[str, _Histogram]] = {}
    steps: dict[str, _Histogram] = {}
    limits: dict[str, int] = {}
    for text in texts:
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                labels = sample.labels
                if family.name == "unflat_phase_seconds" and labels.get("outcome") == "OK":
                    key = (labels["stage"], labels["backend"], labels["device"])
                    phases.setdefault(key, {}).setdefault(labels["phase"], _Histogram()).add(sample)
                elif family.name == "unflat_step_seconds":
                    steps.setdefault(labels["step"], _Histogram()).add(sample)
                elif family.name == "unflat_concurrency_limit":
                    limits[labels["stage"]] = int(sample.value)
    found = []
    requests = max((step.count for step in steps.values()), default=0.0)
    if requests:
        found.append(_from_histograms(ORCHESTRATOR, "", "", list(steps.values()), requests, requests, limits))
    for (stage, backend, device), by_phase in phases.items():
        parts = [by_phase[phase] for phase in _PHASES if phase in by_phase]
        calls = max((part.count for part in parts), default=0.0)
        if calls:
            found.append(_from_histograms(stage, backend, device, parts, calls, requests or calls, limits))
    if not found:
        raise InvalidOption("these metrics have no finished call yet: send some photos first")
    return found


def read_times(path: Path) -> list[StageTimes]:
    """Return the times of a file that `write_times` wrote.

    Raises:
        InvalidOption: there is none, or it is not of this form.
    """
    try:
        return [StageTimes(**row) for row in json.loads(path.read_text(encoding="utf-8"))["stages"]]
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise InvalidOption(f"{path} holds no service times: {problem}") from None


def write_times(path: Path, measured: Sequence[StageTimes]) -> None:
    """Write times as JSON."""
    path.write_text(json.dumps({"stages": [asdict(one) for one in measured]}, indent=2), encoding="utf-8")


class _Histogram:
    """One Prometheus histogram over all its other labels."""

    def __init__(self) -> None:
        self.count = 0.0
        self.total_s = 0.0
        self._below: dict[float, float] = {}

    def add(self, sample: Sample) -> None:
        """Take in one line."""
        if sample.name.endswith("_count"):
            self.count += sample.value
        elif sample.name.endswith("_sum"):
            self.total_s += sample.value
        elif sample.name.endswith("_bucket"):
            edge = float(sample.labels["le"])
            self._below[edge] = self._below.get(edge, 0.0) + sample.value

    @property
    def variance(self) -> float:
        """Of the values, each taken for the middle of its bucket."""
        edges = sorted(self._below)
        counts = np.diff([0.0, *(self._below[edge] for edge in edges)])
        bounds = np.minimum([0.0, *edges], _LONGEST)
        middles = (bounds[:-1] + bounds[1:]) / 2
        if not counts.sum():
            return 0.0
        mean = float(np.average(middles, weights=counts))
        return float(np.average((middles - mean) ** 2, weights=counts))


def _from_histograms(
    stage: str,
    backend: str,
    device: str,
    parts: list[_Histogram],
    calls: float,
    requests: float,
    limits: dict[str, int],
) -> StageTimes:
    mean_s = sum(part.total_s for part in parts) / calls
    variance = sum(part.variance for part in parts)  # phases are taken for independent
    cv2 = variance / mean_s**2 if mean_s else 0.0
    return StageTimes(stage, mean_s, cv2, calls / requests, limits.get(stage, 1), backend, device, round(calls))


def _from_samples(stage: str, backend: str, device: str, seconds: list[float], requests: int) -> StageTimes:
    mean_s = float(np.mean(seconds))
    cv2 = float(np.var(seconds) / mean_s**2) if mean_s else 0.0
    return StageTimes(stage, mean_s, cv2, len(seconds) / requests, 1, backend, device, len(seconds))
