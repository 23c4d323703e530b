"""The table of metrics is the code's."""

from __future__ import annotations

from pathlib import Path

from prometheus_client import Counter, Gauge, Histogram

from services.common.telemetry import metrics

PAGE = Path(__file__).resolve().parents[3] / "docs" / "metrics.md"


def _in_code() -> dict[str, tuple[str, str, str]]:
    found = {}
    for metric in vars(metrics).values():
        if isinstance(metric, Counter | Gauge | Histogram):
            name = metric._name + ("_total" if isinstance(metric, Counter) else "")
            found[name] = (metric._type, ", ".join(metric._labelnames) or "–", metric._documentation)
    return found


def _on_page() -> dict[str, tuple[str, str, str]]:
    found = {}
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("| `"):
            name, kind, labels, meaning = (cell.strip() for cell in line.strip("|").split("|"))
            found[name.strip("`")] = (kind, labels, meaning)
    return found


def test_the_page_and_the_code_have_the_same_metrics():
    assert _on_page() == _in_code()


def test_every_metric_is_ours_in_base_units_and_explained():
    for name, (kind, _, meaning) in _in_code().items():
        assert name.startswith("unflat_"), name
        assert not name.endswith(("_ms", "_mb", "_millis")), name
        assert meaning.endswith("."), name
        assert (kind == "counter") == name.endswith("_total"), name


def test_a_port_of_minus_one_serves_nothing():
    assert metrics.start_metrics(-1, "127.0.0.1") == -1
