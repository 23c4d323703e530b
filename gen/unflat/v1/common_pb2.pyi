from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Image(_message.Message):
    __slots__ = ("pixels", "width", "height", "channels", "bit_depth")
    PIXELS_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    BIT_DEPTH_FIELD_NUMBER: _ClassVar[int]
    pixels: bytes
    width: int
    height: int
    channels: int
    bit_depth: int
    def __init__(self, pixels: _Optional[bytes] = ..., width: _Optional[int] = ..., height: _Optional[int] = ..., channels: _Optional[int] = ..., bit_depth: _Optional[int] = ...) -> None: ...

class DepthMap(_message.Message):
    __slots__ = ("values", "width", "height", "scale")
    VALUES_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    SCALE_FIELD_NUMBER: _ClassVar[int]
    values: bytes
    width: int
    height: int
    scale: float
    def __init__(self, values: _Optional[bytes] = ..., width: _Optional[int] = ..., height: _Optional[int] = ..., scale: _Optional[float] = ...) -> None: ...

class PhaseTimings(_message.Message):
    __slots__ = ("queue_s", "preprocess_s", "compute_s", "postprocess_s")
    QUEUE_S_FIELD_NUMBER: _ClassVar[int]
    PREPROCESS_S_FIELD_NUMBER: _ClassVar[int]
    COMPUTE_S_FIELD_NUMBER: _ClassVar[int]
    POSTPROCESS_S_FIELD_NUMBER: _ClassVar[int]
    queue_s: float
    preprocess_s: float
    compute_s: float
    postprocess_s: float
    def __init__(self, queue_s: _Optional[float] = ..., preprocess_s: _Optional[float] = ..., compute_s: _Optional[float] = ..., postprocess_s: _Optional[float] = ...) -> None: ...

class StageReport(_message.Message):
    __slots__ = ("backend", "device", "dtype", "model_digest", "licence", "timings", "notes")
    BACKEND_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    DTYPE_FIELD_NUMBER: _ClassVar[int]
    MODEL_DIGEST_FIELD_NUMBER: _ClassVar[int]
    LICENCE_FIELD_NUMBER: _ClassVar[int]
    TIMINGS_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    backend: str
    device: str
    dtype: str
    model_digest: str
    licence: str
    timings: PhaseTimings
    notes: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, backend: _Optional[str] = ..., device: _Optional[str] = ..., dtype: _Optional[str] = ..., model_digest: _Optional[str] = ..., licence: _Optional[str] = ..., timings: _Optional[_Union[PhaseTimings, _Mapping]] = ..., notes: _Optional[_Iterable[str]] = ...) -> None: ...
