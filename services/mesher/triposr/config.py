"""Sizes of the network, read from the official config.yaml by a reader for just that kind of file.

The file is two levels of `key: value` with comments, quotes and references like `${tokenizer.num_channels}`; a YAML
library would be a dependency for fifteen lines, and would hand the references over as text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from services.common.errors import StageUnavailable

Section = dict[str, str]

_REFERENCE = re.compile(r"\$\{(\w+)\.(\w+)\}")
_ONLY = {  # what our code computes; another value would need other code
    ("decoder", "activation"): "silu",
    ("renderer", "feature_reduction"): "concat",
    ("renderer", "density_activation"): "exp",
}


@dataclass(frozen=True)
class TripoSRConfig:
    """The sizes that config.yaml states; those of the image tokenizer follow from its weights.

    Attributes:
        image_px: side of the picture the network sees.
        plane_size: side of a triplane before it is doubled, in tokens.
        channels: of a triplane token.
        heads: attention heads of the backbone.
        head_channels: channels of one head.
        blocks: transformer blocks of the backbone.
        image_channels: of an image token.
        plane_channels: of the scene code.
        decoder_width: neurons of a hidden layer.
        decoder_layers: hidden layers.
        radius: half the side of the cube that the triplanes span.
        density_bias: added to the raw density before the exponential.
    """

    image_px: int = 512
    plane_size: int = 32
    channels: int = 1024
    heads: int = 16
    head_channels: int = 64
    blocks: int = 16
    image_channels: int = 768
    plane_channels: int = 40
    decoder_width: int = 64
    decoder_layers: int = 9
    radius: float = 0.87
    density_bias: float = -1.0


def read_config(path: Path) -> TripoSRConfig:
    """Return the sizes that an official config.yaml states.

    Raises:
        StageUnavailable: a line or a value is missing, not understood, or asks for what this network does not compute.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as problem:
        raise StageUnavailable(f"the TripoSR configuration {path} cannot be read: {problem}") from None
    sections = parse_sections(text)
    for (section, key), wanted in _ONLY.items():
        found = sections.get(section, {}).get(key, wanted)
        if found != wanted:
            raise StageUnavailable(f"{path}: {section}.{key} is {found!r}; only {wanted!r} is understood")
    try:
        tokenizer, backbone = sections["tokenizer"], sections["backbone"]
        decoder, renderer = sections["decoder"], sections["renderer"]
        return TripoSRConfig(
            image_px=int(sections[""]["cond_image_size"]),
            plane_size=int(tokenizer["plane_size"]),
            channels=int(tokenizer["num_channels"]),
            heads=int(backbone["num_attention_heads"]),
            head_channels=int(backbone["attention_head_dim"]),
            blocks=int(backbone["num_layers"]),
            image_channels=int(backbone["cross_attention_dim"]),
            plane_channels=int(sections["post_processor"]["out_channels"]),
            decoder_width=int(decoder["n_neurons"]),
            decoder_layers=int(decoder["n_hidden_layers"]),
            radius=float(renderer["radius"]),
            density_bias=float(renderer["density_bias"]),
        )
    except KeyError as problem:
        raise StageUnavailable(f"{path} does not state {problem}") from None
    except ValueError as problem:
        raise StageUnavailable(f"{path}: {problem}") from None


def parse_sections(text: str) -> dict[str, Section]:
    """Return the values by section and key, references resolved; what stands at the left margin is in section "".

    Raises:
        StageUnavailable: a line is not `key: value`, or a reference leads nowhere.
    """
    sections: dict[str, Section] = {"": {}}
    current = ""
    for number, line in enumerate(text.splitlines(), start=1):
        bare = re.sub(r"(^|\s)#.*$", "", line).rstrip()
        if not bare.strip():
            continue
        key, colon, value = bare.strip().partition(":")
        value = value.strip().strip("\"'")
        if not colon:
            raise StageUnavailable(f"line {number} of the TripoSR configuration is not of the form key: value")
        if bare[0].isspace():
            sections[current][key] = value
        elif value:
            sections[""][key] = value
        else:
            current = key
            sections[current] = {}
    return {
        name: {key: _REFERENCE.sub(lambda m: _follow(sections, m), value) for key, value in section.items()}
        for name, section in sections.items()
    }


def _follow(sections: dict[str, Section], reference: re.Match[str]) -> str:
    section, key = reference.groups()
    try:
        return sections[section][key]
    except KeyError:
        raise StageUnavailable(f"{reference.group()} leads nowhere in the TripoSR configuration") from None
