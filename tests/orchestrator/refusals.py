"""What the orchestrator refuses before any network runs, by its own checks: for those who stand in for it in tests."""

from __future__ import annotations

from services.common.options import MaskOptions
from services.common.photos.decoding import decode_depth, decode_mask, decode_photo
from services.orchestrator.input_checks.supplied_depth import check_supplied_depth
from services.orchestrator.input_checks.supplied_mask import check_supplied_mask
from services.segmentation.served_models import resolve_model


def refuse_as_the_product(file: bytes, mask: MaskOptions) -> None:
    """Raise what the orchestrator raises for a photo and what comes with it, where it would answer nothing else."""
    photo = decode_photo(file)
    resolve_model(mask.model, setting="auto", running="grabcut")
    if mask.mask:
        check_supplied_mask(decode_mask(mask.mask), photo).as_segmented(photo.working)
    if mask.depth_map:
        check_supplied_depth(decode_depth(mask.depth_map), photo.working)
