"""The examples in docstrings say what the code does."""

from __future__ import annotations

import doctest
import importlib

import pytest

ROOMS = (
    "services.common.backends.backend_spec",
    "services.common.backends.batching",
    "services.common.backends.out_of_memory",
    "services.common.drawing.rasteriser",
    "services.common.imaging.colour_evidence",
    "services.common.imaging.edge_aware",
    "services.common.imaging.log_odds",
    "services.common.imaging.signed_distance",
    "services.common.imaging.thin_parts",
    "services.common.imaging.uncertain_regions",
    "services.common.imaging.working_size",
    "services.common.serving.priority",
    "services.common.serving.priority_queue",
    "services.depth.backends.onnx",
    "services.depth.depth_anything_v2.preprocess",
    "services.depth.tiled.align",
    "services.depth.tiled.tiled_estimation",
    "services.depth.tiled.tiles",
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
    "services.segmentation.backends.base",
    "services.segmentation.backends.precision_trial",
    "services.segmentation.backends.superpixels",
    "services.segmentation.refine.chain",
    "services.segmentation.refine.convexity_defects",
    "services.segmentation.refine.outline_contrast",
    "services.segmentation.refine.refine_options",
    "services.segmentation.refine.augmentation",
)


@pytest.mark.parametrize("name", ROOMS)
def test_examples_say_what_the_code_does(name: str) -> None:
    ran = doctest.testmod(importlib.import_module(name))
    assert ran.attempted > 0, f"{name} has no example"
    assert ran.failed == 0
