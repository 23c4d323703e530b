from unflat.v1 import common_pb2 as _common_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Preset(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PRESET_UNSPECIFIED: _ClassVar[Preset]
    PRESET_FAST: _ClassVar[Preset]
    PRESET_BALANCED: _ClassVar[Preset]
    PRESET_QUALITY: _ClassVar[Preset]
PRESET_UNSPECIFIED: Preset
PRESET_FAST: Preset
PRESET_BALANCED: Preset
PRESET_QUALITY: Preset

class SegmentationOptions(_message.Message):
    __slots__ = ("preset", "use_grabcut", "remove_small_components", "kernel_size", "blur_size", "model")
    PRESET_FIELD_NUMBER: _ClassVar[int]
    USE_GRABCUT_FIELD_NUMBER: _ClassVar[int]
    REMOVE_SMALL_COMPONENTS_FIELD_NUMBER: _ClassVar[int]
    KERNEL_SIZE_FIELD_NUMBER: _ClassVar[int]
    BLUR_SIZE_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    preset: Preset
    use_grabcut: bool
    remove_small_components: bool
    kernel_size: int
    blur_size: int
    model: str
    def __init__(self, preset: _Optional[_Union[Preset, str]] = ..., use_grabcut: _Optional[bool] = ..., remove_small_components: _Optional[bool] = ..., kernel_size: _Optional[int] = ..., blur_size: _Optional[int] = ..., model: _Optional[str] = ...) -> None: ...

class SegmentRequest(_message.Message):
    __slots__ = ("image", "options", "explain")
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    EXPLAIN_FIELD_NUMBER: _ClassVar[int]
    image: _common_pb2.Image
    options: SegmentationOptions
    explain: bool
    def __init__(self, image: _Optional[_Union[_common_pb2.Image, _Mapping]] = ..., options: _Optional[_Union[SegmentationOptions, _Mapping]] = ..., explain: _Optional[bool] = ...) -> None: ...

class SegmentResponse(_message.Message):
    __slots__ = ("mask", "raw_mask", "report")
    MASK_FIELD_NUMBER: _ClassVar[int]
    RAW_MASK_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    mask: _common_pb2.Image
    raw_mask: _common_pb2.Image
    report: _common_pb2.StageReport
    def __init__(self, mask: _Optional[_Union[_common_pb2.Image, _Mapping]] = ..., raw_mask: _Optional[_Union[_common_pb2.Image, _Mapping]] = ..., report: _Optional[_Union[_common_pb2.StageReport, _Mapping]] = ...) -> None: ...
