"""What the requests about an item make of its answers, without a pipeline; and of a photo that is none, with one."""

from __future__ import annotations

import io
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from PIL import Image

from evaluation.in_process import make_in_process
from evaluation.raw_masks import SIMULATED
from evaluation.requests import Plan, make_outputs
from evaluation.sets import FIXED, Item, open_set
from unflat.v1 import orchestrator_pb2 as pb

MUG = open_set(FIXED, limit=1)[0]
SHOWN = {"raw": 50, "segmentation": 100, "hybrid": 150}
RESULT = 200


def grey(value: int) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.full((48, 64), value, np.uint8)).save(out, "PNG")
    return out.getvalue()


@dataclass
class Orchestrator:
    """Shows each picture in a grey of its own, and keeps what it was asked."""

    cutouts: list[pb.RemoveBackgroundRequest] = field(default_factory=list)
    meshes: list[pb.GenerateMeshRequest] = field(default_factory=list)

    def remove_background(self, request: pb.RemoveBackgroundRequest) -> pb.CutoutResult:
        self.cutouts.append(request)
        debug = [pb.DebugPicture(name=name, png=grey(value)) for name, value in SHOWN.items()]
        return pb.CutoutResult(image=grey(RESULT), debug=debug)

    def generate_mesh(self, request: pb.GenerateMeshRequest) -> pb.MeshResult:
        self.meshes.append(request)
        return pb.MeshResult(mesh=b"mesh", receipt=pb.Receipt(verdict="solid"))


def ask(masks: tuple[str, ...] = (), meshes: tuple[str, ...] = (), item: Item = MUG):
    orchestrator = Orchestrator()
    return orchestrator, make_outputs(item, b"photo", Plan(masks, meshes), orchestrator, unrefined=None)


def test_one_request_shows_the_masks_of_four_variants() -> None:
    orchestrator, outputs = ask(("raw", "refined", "fused", "final"))
    assert len(orchestrator.cutouts) == 1
    assert {name: mask[0, 0] for name, mask in outputs.masks.items()} == {
        "raw": 50, "refined": 100, "fused": 150, "final": 200,
    }  # fmt: skip


def test_mesh_of_a_raw_mask_is_asked_for_with_that_mask_and_the_final_one_without() -> None:
    orchestrator, outputs = ask(meshes=("raw", "exact", "final"))
    assert MUG.truth is not None
    assert [request.photo.mask for request in orchestrator.meshes] == [grey(50), MUG.truth.read_bytes(), b""]
    assert outputs.notes == dict.fromkeys(("raw", "exact", "final"), "solid")


def test_variant_without_depth_sends_none() -> None:
    orchestrator, _ = ask(("final", "final_without_depth"))
    with_depth, without = orchestrator.cutouts
    assert with_depth.photo.depth and with_depth.mask.depth
    assert not without.photo.depth and not without.mask.depth


def test_variant_that_no_request_asks_for_is_noted_and_left_out() -> None:
    orchestrator, outputs = ask(("final_without_refinement",), ("final_without_refinement",))
    assert not orchestrator.cutouts and not orchestrator.meshes and not outputs.masks
    assert "only --in-process" in outputs.notes["final_without_refinement"]


def test_photo_that_is_none_fails_in_words_and_not_the_run(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"no photo")
    broken = replace(MUG, photo=tmp_path / "photo.jpg")
    outputs = make_in_process(broken, Plan(("raw", "final"), ("final",), SIMULATED))
    assert not outputs.masks and not outputs.meshes
    assert outputs.failures.keys() == {"mask of raw", "mask of final", "mesh of final"}
