"""The chain's knobs; those that callers may set are stated in `services/common/options/mask.py`."""

from __future__ import annotations

from dataclasses import dataclass, fields

from services.common.choices import Preset
from services.common.errors import InvalidOption


@dataclass(frozen=True)
class RefineOptions:
    """What the refinement chain does.

    Args:
        preset: the name the values came from; for receipts.
        use_grabcut: ask GrabCut where the mask is unsure or contradicts the colours. Slower, better at wide doubt.
        remove_small_components: drop small islands that their colours do not speak for.
        kernel_size: odd, 3 to 7 pixels; larger closes larger pinholes and removes larger specks.
        blur_size: odd, 3 to 7 pixels; larger gives a smoother outline (never at thin parts).
        augment: test-time augmentation, two more views for the network where its mask is unsure of a part. At most
            three times the network's time; whoever runs the network heeds it, the chain does not.
        from_colours: the mask was made from this photo's colours alone (GrabCut's): they cannot be heard twice, so the
            mask stays as it is, and is not augmented. Measured: the chain made such masks 2 to 5 % worse.
        working_side: the chain works at most at this long side, pixels; the result has the input's size.
    Raises:
        InvalidOption: `working_side` is out of its range.
    """

    preset: Preset = "balanced"
    use_grabcut: bool = True
    remove_small_components: bool = True
    kernel_size: int = 5
    blur_size: int = 3
    augment: bool = False
    from_colours: bool = False
    working_side: int = 640

    def __post_init__(self) -> None:
        if not 64 <= self.working_side <= 900:
            raise InvalidOption(f"working_side is {self.working_side}; it must be 64 to 900", field="working_side")

    @classmethod
    def for_preset(cls, preset: str = "balanced", **overrides: bool | int) -> RefineOptions:
        """Return a preset's options, with `overrides` in place of its values.

        >>> RefineOptions.for_preset("fast", use_grabcut=True).working_side
        450

        Raises:
            InvalidOption: the preset or an option is unknown, or a value is out of its range.
        """
        if preset not in _PRESETS:
            raise InvalidOption(f"preset is {preset!r}; it must be one of {', '.join(_PRESETS)}", field="preset")
        known = {field.name for field in fields(cls)} - {"preset"}
        for name in overrides:
            if name not in known:
                raise InvalidOption(f"{name} is not an option; known are {', '.join(sorted(known))}", field=name)
        return cls(**{"preset": preset, **_PRESETS[preset], **overrides})  # type: ignore[arg-type]


_PRESETS: dict[str, dict[str, bool | int]] = {
    "fast": {"use_grabcut": False, "kernel_size": 3, "working_side": 450},
    "balanced": {"use_grabcut": True, "kernel_size": 5, "working_side": 640},
    "quality": {"use_grabcut": True, "kernel_size": 5, "augment": True, "working_side": 900},
}
