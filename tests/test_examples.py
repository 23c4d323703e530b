"""The examples in docstrings say what the code does."""

from __future__ import annotations

import doctest
import importlib

import pytest

ROOMS = (
    "services.common.drawing.rasteriser",
    "services.mesher.depth_guidance.planarity",
    "services.mesher.export",
    "services.mesher.extract.cell_triangles",
    "services.mesher.extract.parts",
    "services.mesher.extract.surface",
    "services.mesher.geometry.camera",
    "services.mesher.geometry.mesh",
    "services.mesher.geometry.robust_fit",
    "services.mesher.geometry.simplification",
    "services.mesher.geometry.smoothing",
    "services.mesher.geometry.subject_mask",
    "services.mesher.inflate.membrane",
    "services.mesher.inflate.silhouette",
    "services.mesher.inflate.solid",
    "services.mesher.inflate.thickness",
    "services.mesher.texture.atlas",
    "services.mesher.texture.vertex_colours",
    "services.orchestrator.cutout.cut",
    "services.orchestrator.cutout.foreground",
    "services.orchestrator.cutout.matting",
    "services.orchestrator.cutout.matting_confidence",
    "services.orchestrator.cutout.trimap",
    "services.orchestrator.depth_wait",
    "services.orchestrator.framing",
    "services.orchestrator.fusion.depth_cut",
    "services.orchestrator.fusion.fuse",
    "services.orchestrator.gate.boundary_contrast",
    "services.orchestrator.input_checks.depth_polarity",
    "services.orchestrator.input_checks.own_alpha",
)


@pytest.mark.parametrize("name", ROOMS)
def test_examples_say_what_the_code_does(name: str) -> None:
    ran = doctest.testmod(importlib.import_module(name))
    assert ran.attempted > 0, f"{name} has no example"
    assert ran.failed == 0
