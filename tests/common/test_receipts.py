"""Receipts in plain words."""

from __future__ import annotations

import json

from services.common.receipts import outcome_of, receipt_to_dict
from unflat.v1 import mesher_pb2
from unflat.v1 import orchestrator_pb2 as pb

RECEIPT = pb.Receipt(
    request_id="id-1",
    stages=[
        pb.StageReceipt(stage="segmentation", outcome=pb.OUTCOME_OK, total_s=0.123456789),
        pb.StageReceipt(stage="depth", outcome=pb.OUTCOME_TIMEOUT, reason="it took too long"),
    ],
    mask=pb.MaskFacts(strategy=pb.STRATEGY_DEPTH_GUIDED, source=pb.MASK_SOURCE_OWN_ALPHA),
    mesh=mesher_pb2.MeshQuality(verdict_kind=mesher_pb2.MESH_VERDICT_TRULY_FLAT),
)


def test_enums_are_plain_words_and_numbers_are_rounded():
    plain = receipt_to_dict(RECEIPT)
    assert [stage["outcome"] for stage in plain["stages"]] == ["OK", "TIMEOUT"]
    assert plain["mask"]["strategy"] == "depth_guided"
    assert plain["mask"]["source"] == "own_alpha"
    assert plain["mesh"]["verdict_kind"] == "truly_flat"
    assert plain["stages"][0]["total_s"] == 0.12346
    json.dumps(plain)


def test_fields_that_are_zero_are_there_all_the_same():
    plain = receipt_to_dict(pb.Receipt())
    assert plain["degraded"] is False
    assert plain["warnings"] == []


def test_outcomes_are_found_by_stage():
    assert outcome_of(RECEIPT, "depth") == "TIMEOUT"
    assert outcome_of(RECEIPT, "mesher") == ""
