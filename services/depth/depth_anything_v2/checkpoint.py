"""Tensors of a torch checkpoint without torch: a zip with one pickle of descriptions and one raw file a storage.

A pickle can run any code. This reader knows a few names (the dictionary, the rebuilding of a tensor, the types of
storages) and refuses the file at the first other one; what it calls is defined here, so nothing of the file is run.

Source: torch/serialization.py (zip format, since torch 1.6).
"""

from __future__ import annotations

import io
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from services.common.arrays import Float

_MAX_PICKLE_BYTES = 4 << 20  # descriptions of 407 tensors take 70 kB
_STORAGES = {"FloatStorage": "<f4", "HalfStorage": "<f2", "DoubleStorage": "<f8", "BFloat16Storage": "<u2"}


class BadCheckpoint(ValueError):
    """The file is not a plain checkpoint of tensors; the text says why."""


@dataclass(frozen=True)
class _StorageType:
    """Stands in for torch.FloatStorage and its kin."""

    name: str


@dataclass(frozen=True)
class _Storage:
    key: str
    kind: str
    count: int


def read_checkpoint(path: Path) -> dict[str, Float]:
    """Return all tensors of a `torch.save`d state dict as float32 arrays by name.

    Raises:
        BadCheckpoint: no zip of torch's form, or anything in it besides named tensors.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return _read(archive)
    except zipfile.BadZipFile as error:
        raise BadCheckpoint(f"not a whole checkpoint of torch 1.6 or newer ({error})") from error


def original_name(path: Path) -> str:
    """Return the file name (without ending) under which torch wrote the checkpoint, or an empty string.

    torch names the folder inside the zip after it, so that a renamed file still tells.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()[0].split("/")[0] if archive.namelist() else ""
    except (OSError, zipfile.BadZipFile):
        return ""


def _read(archive: zipfile.ZipFile) -> dict[str, Float]:
    pickles = [name for name in archive.namelist() if name.endswith("/data.pkl") and name.count("/") == 1]
    if len(pickles) != 1:
        raise BadCheckpoint("a zip without the one data.pkl that torch writes")
    root = pickles[0].removesuffix("data.pkl")
    if archive.getinfo(pickles[0]).file_size > _MAX_PICKLE_BYTES:
        raise BadCheckpoint(f"its data.pkl has more than {_MAX_PICKLE_BYTES} bytes")
    if f"{root}byteorder" in archive.namelist() and archive.read(f"{root}byteorder") != b"little":
        raise BadCheckpoint("its numbers are not little-endian")
    reader = _TensorUnpickler(archive.read(pickles[0]), lambda storage: _read_storage(archive, root, storage))
    try:
        state = reader.load()
    except BadCheckpoint:
        raise
    except Exception as error:  # a broken pickle may fail in any way
        raise BadCheckpoint(f"its data.pkl is broken ({error})") from error
    if not isinstance(state, dict) or not all(
        isinstance(name, str) and isinstance(value, np.ndarray) for name, value in state.items()
    ):
        raise BadCheckpoint("not a plain dictionary from names to tensors")
    return dict(state)


def _read_storage(archive: zipfile.ZipFile, root: str, storage: _Storage) -> npt.NDArray[Any]:
    try:
        entry = archive.getinfo(f"{root}data/{storage.key}")
    except KeyError:
        raise BadCheckpoint(f"storage {storage.key} is missing") from None
    dtype = np.dtype(_STORAGES[storage.kind])
    if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != storage.count * dtype.itemsize:
        raise BadCheckpoint(f"storage {storage.key} does not have the {storage.count} numbers it should have")
    values = np.frombuffer(archive.read(entry), dtype)
    if storage.kind == "BFloat16Storage":  # the upper half of a float32
        return (values.astype(np.uint32) << 16).view(np.float32)
    return values


class _TensorUnpickler(pickle.Unpickler):
    """Rebuilds named tensors and refuses everything else."""

    def __init__(self, data: bytes, read_storage: Callable[[_Storage], npt.NDArray[Any]]) -> None:
        super().__init__(io.BytesIO(data))
        self._read_storage = read_storage
        self._storages: dict[_Storage, npt.NDArray[Any]] = {}

    def find_class(self, module: str, name: str) -> Any:
        """Answer the known names."""
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return self._rebuild
        if module == "torch" and name in _STORAGES:
            return _StorageType(name)
        raise BadCheckpoint(f"it asks for {module}.{name}; only plain tensors of numbers are read")

    def persistent_load(self, pid: Any) -> _Storage:
        """Answer ("storage", type, key, device, count)."""
        match pid:
            case ("storage", _StorageType(name=kind), str(key), str(), int(count)) if count >= 0:
                return _Storage(key, kind, count)
        raise BadCheckpoint("a storage is described in an unknown way")

    def _rebuild(self, storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> Float:
        numbers = (offset, *size, *stride)
        if not isinstance(storage, _Storage) or len(size) != len(stride):
            raise BadCheckpoint("a tensor is described in an unknown way")
        if not all(isinstance(n, int) and n >= 0 for n in numbers):
            raise BadCheckpoint("a tensor has a negative size, stride or offset")
        last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
        if 0 not in size and last >= storage.count:
            raise BadCheckpoint("a tensor reaches beyond its storage")
        if storage not in self._storages:
            self._storages[storage] = self._read_storage(storage)
        flat = self._storages[storage]
        steps = [step * flat.itemsize for step in stride]
        view = np.lib.stride_tricks.as_strided(flat[offset:], size, steps, writeable=False)
        return np.ascontiguousarray(view, dtype=np.float32)
