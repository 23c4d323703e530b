"""A matting network in an ONNX file, in place of the closed form: photo and trimap in, alpha out (as ViTMatte).

    onnx:/path/model.onnx?mean=0.5,0.5,0.5&std=0.5,0.5,0.5&multiple=32&side=1024

Two forms of file are known: one input of four channels, colours and trimap (ViTMatte's exports), or two inputs, three
channels and one. Only the surroundings of the unknown band are shown to it, tile by tile: what a network costs grows
with the square of its picture, and beyond the size it was trained at it gets worse.

Source: Yao et al., "ViTMatte: Boosting Image Matting with Pretrained Plain Vision Transformers" (2023), section 3.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from services.common.arrays import Alpha, BoolMask, Float, Pixels
from services.common.backends.backend_spec import BackendSpec, Triple
from services.common.backends.onnx_session import OnnxSession, open_session
from services.common.errors import Internal, InvalidOption, StageUnavailable

_UNKNOWN = 0.5  # of the trimap as the network sees it: 0 background, 1 foreground
_COLOURS, _WITH_TRIMAP = 3, 4  # channels of the first input


@dataclass(frozen=True)
class MattingNetworkOptions:
    """How a network wants its picture.

    Attributes:
        mean: subtracted from colours in [0, 1]; 0 for exports that normalise by themselves.
        std: divided by after that.
        multiple: sides are padded to a multiple of this, in pixels; ViTMatte's is 32.
        side: longest side that is shown at once, in pixels; more sees farther and costs with the square. Files that
            fix their size have their own.
        overlap: pixels that neighbouring tiles share; their answers are blended across it.
    Raises:
        InvalidOption: tiles would hardly leave their overlap.
    """

    mean: Triple = (0.5, 0.5, 0.5)
    std: Triple = (0.5, 0.5, 0.5)
    multiple: int = 32
    side: int = 1024
    overlap: int = 64

    def __post_init__(self) -> None:
        """Refuse tiles that hardly leave the overlap."""
        if not 0 <= self.overlap < self.side / 2:
            raise InvalidOption(f"side is {self.side}; wanted more than twice {self.overlap} px", field="matting")


@dataclass(frozen=True)
class _Tile:
    """A rectangle of the photo that is shown at once."""

    rows: slice
    columns: slice


class MattingNetwork:
    """One file; loaded at the first use, or by `load`. Thread-safe.

    Args:
        path: the ONNX file.
        options: how it wants its picture.
        threads: of one run; 0 leaves the choice to ONNX Runtime.
    """

    def __init__(self, path: Path, options: MattingNetworkOptions, threads: int = 0) -> None:
        self.name = f"onnx:{path}"
        self.device = "cpu"
        self._path = path
        self._options = options
        self._threads = threads
        self._lock = threading.Lock()
        self._session: OnnxSession | None = None
        self._fixed: tuple[int, int] | None = None  # height and width, where the file fixes them

    def load(self) -> None:
        """Open the file and run it once on a small picture.

        Raises:
            StageUnavailable: ONNX Runtime or the file is missing, or the file is no matting network.
        """
        with self._lock:
            if self._session is not None:
                return
            session = self._open()
            height, width = self._fixed or (2 * self._options.multiple,) * 2
            trimap = np.full((height, width), _UNKNOWN, np.float32)
            trimap[:, : width // 3], trimap[:, -(width // 3) :] = 0.0, 1.0
            try:
                self._infer(session, np.full((height, width, 3), 0.5, np.float32), trimap)
            except Exception as problem:  # noqa: BLE001 - a foreign file may raise anything
                raise StageUnavailable(f"{self._path} is not a matting network: {str(problem)[:200]}") from None
            self._session = session

    def matte(self, photo: Pixels, guess: Alpha, unknown: BoolMask) -> Alpha:
        """Return `guess` with alpha decided anew where `unknown`; the same contract as `matting.matte`.

        Args:
            photo: (H, W, 3) uint8 or uint16.
            guess: (H, W) in [0, 1]: what is known, read where `unknown` is False.
            unknown: (H, W) bool.
        Returns:
            (H, W) in [0, 1], equal to `guess` where known, and everywhere if nothing is known.
        Raises:
            StageUnavailable: see `load`.
            Internal: the network's answer is not finite.
        """
        if not unknown.any() or unknown.all():
            return guess.copy()
        self.load()
        assert self._session is not None
        trimap = np.where(unknown, np.float32(_UNKNOWN), np.round(guess).astype(np.float32))
        total, weights = np.zeros(guess.shape, np.float32), np.zeros(guess.shape, np.float32)
        for tile in self._tiles(unknown):
            colours = photo[tile.rows, tile.columns].astype(np.float32) / np.float32(np.iinfo(photo.dtype).max)
            answer = self._infer(self._session, colours, trimap[tile.rows, tile.columns])
            weight = self._weight(answer.shape)
            total[tile.rows, tile.columns] += weight * answer
            weights[tile.rows, tile.columns] += weight
        result = guess.copy()
        result[unknown] = np.clip(total[unknown] / weights[unknown], 0.0, 1.0)
        return result

    # ---- the file ----

    def _open(self) -> OnnxSession:
        if not self._path.is_file():
            raise StageUnavailable(f"there is no matting network at {self._path}; name another file, or leave it out")
        session = open_session(self._path, threads=self._threads)
        channels = [entry.shape[1] if len(entry.shape) == 4 else None for entry in session.inputs]
        if channels not in ([_WITH_TRIMAP], [_COLOURS, 1]):
            raise StageUnavailable(
                f"{self._path} takes inputs of {channels} channels; a matting network takes four, or three and one"
            )
        height, width = session.inputs[0].shape[2:]
        self._fixed = None if height is None or width is None else (height, width)
        self.device = session.device
        return session

    def _infer(self, session: OnnxSession, colours: Float, trimap: Float) -> Float:
        """Return (H, W), what the network says of an (H, W, 3) picture in [0, 1] and its trimap."""
        height, width = trimap.shape
        full_height, full_width = self._fixed or (_round_up(n, self._options.multiple) for n in trimap.shape)
        # Zeros, as in the official image processor: after the normalisation, mean grey; in the trimap, background.
        picture = np.zeros((1, _WITH_TRIMAP, full_height, full_width), np.float32)
        mean, std = (np.array(triple, np.float32) for triple in (self._options.mean, self._options.std))
        picture[0, :_COLOURS, :height, :width] = np.moveaxis((colours - mean) / std, 2, 0)
        picture[0, _COLOURS, :height, :width] = trimap
        parts = (picture,) if len(session.inputs) == 1 else (picture[:, :_COLOURS], picture[:, _COLOURS:])
        answer = np.asarray(session.run(*parts), np.float32)
        if answer.size != full_height * full_width:
            raise Internal(f"{self.name} answers {answer.shape}; wanted (1, 1, {full_height}, {full_width})")
        alpha = answer.reshape(full_height, full_width)[:height, :width]
        if not np.isfinite(alpha).all():
            raise Internal(f"{self.name} answered values that are not finite")
        return alpha

    # ---- the tiles ----

    def _tiles(self, unknown: BoolMask) -> Iterator[_Tile]:
        """Yield the tiles that hold something unknown; neighbours share an overlap."""
        sides = self._fixed or (self._options.side,) * 2
        for rows in _cuts(unknown.shape[0], sides[0], self._options.overlap):
            for columns in _cuts(unknown.shape[1], sides[1], self._options.overlap):
                if unknown[rows, columns].any():
                    yield _Tile(rows, columns)

    def _weight(self, shape: tuple[int, ...]) -> Float:
        """Return (H, W): 1 inside, falling towards the rim, where a tile knows less of its surroundings."""
        ramps = []
        for length in shape:
            rim = np.minimum(np.arange(length), np.arange(length)[::-1]) + 1
            ramps.append(np.minimum(rim / (self._options.overlap + 1), 1.0).astype(np.float32))
        return np.asarray(ramps[0][:, None] * ramps[1][None, :], np.float32)


def open_matting_network(name: str, threads: int = 0) -> MattingNetwork:
    """Return the network that a name means, not yet loaded.

    Args:
        name: `onnx:/path/model.onnx` with options, see the head of this module.
        threads: of one run; 0 leaves the choice to ONNX Runtime.

    Raises:
        InvalidOption: not of this form, or one of its options is wrong.
    """
    spec = BackendSpec.parse(name, field="matting")
    if spec.kind != "onnx" or not spec.target:
        raise InvalidOption(f"matting is {name!r}; wanted onnx:/path/model.onnx", field="matting")
    spec.refuse_unknown("mean", "std", "multiple", "side", "overlap")
    defaults = MattingNetworkOptions()
    options = MattingNetworkOptions(
        mean=spec.triple("mean", defaults.mean),
        std=spec.triple("std", defaults.std, positive=True),
        multiple=spec.number("multiple", defaults.multiple, 1, 256),
        side=spec.number("side", defaults.side, 1, 8192),
        overlap=spec.number("overlap", defaults.overlap, 0, 4096),
    )
    return MattingNetwork(Path(spec.target), options, threads)


def _round_up(length: int, multiple: int) -> int:
    return -(-length // multiple) * multiple


def _cuts(length: int, side: int, overlap: int) -> list[slice]:
    """Return slices of at most `side` that cover `length`, evenly spread, each sharing `overlap` with the next."""
    if length <= side:
        return [slice(0, length)]
    count = -(-(length - overlap) // (side - overlap))
    starts = np.linspace(0, length - side, count).round().astype(int)
    return [slice(int(start), int(start) + side) for start in starts]
