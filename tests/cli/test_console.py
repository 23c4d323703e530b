"""Receipts as tables for people."""

from __future__ import annotations

import io

from rich.console import Console

from services.cli.console import print_receipt
from unflat.v1 import common_pb2
from unflat.v1 import orchestrator_pb2 as pb


def test_a_stage_that_was_not_asked_is_said_to_be_cached_instead_of_its_times():
    report = common_pb2.StageReport(backend="u2netp", device="cpu")
    stages = [
        pb.StageReceipt(stage="segmentation", outcome=pb.OUTCOME_OK, report=report, cached=True),
        pb.StageReceipt(stage="mesher", outcome=pb.OUTCOME_OK, report=report, total_s=0.25),
    ]
    out = io.StringIO()
    print_receipt(Console(file=out, width=120), "photo.jpg", pb.Receipt(stages=stages))
    rows = {name: line for line in out.getvalue().splitlines() for name in ("segmentation", "mesher") if name in line}
    assert "cached" in rows["segmentation"] and " ms" not in rows["segmentation"]
    assert "250 ms" in rows["mesher"] and "cached" not in rows["mesher"]
