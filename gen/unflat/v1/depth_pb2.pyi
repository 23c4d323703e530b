from unflat.v1 import common_pb2 as _common_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DepthQuality(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DEPTH_QUALITY_UNSPECIFIED: _ClassVar[DepthQuality]
    DEPTH_QUALITY_STANDARD: _ClassVar[DepthQuality]
    DEPTH_QUALITY_HIGH: _ClassVar[DepthQuality]
DEPTH_QUALITY_UNSPECIFIED: DepthQuality
DEPTH_QUALITY_STANDARD: DepthQuality
DEPTH_QUALITY_HIGH: DepthQuality

class DepthOptions(_message.Message):
    __slots__ = ("depth_quality",)
    DEPTH_QUALITY_FIELD_NUMBER: _ClassVar[int]
    depth_quality: DepthQuality
    def __init__(self, depth_quality: _Optional[_Union[DepthQuality, str]] = ...) -> None: ...

class EstimateDepthRequest(_message.Message):
    __slots__ = ("image", "options")
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    image: _common_pb2.Image
    options: DepthOptions
    def __init__(self, image: _Optional[_Union[_common_pb2.Image, _Mapping]] = ..., options: _Optional[_Union[DepthOptions, _Mapping]] = ...) -> None: ...

class EstimateDepthResponse(_message.Message):
    __slots__ = ("depth", "report")
    DEPTH_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    depth: _common_pb2.DepthMap
    report: _common_pb2.StageReport
    def __init__(self, depth: _Optional[_Union[_common_pb2.DepthMap, _Mapping]] = ..., report: _Optional[_Union[_common_pb2.StageReport, _Mapping]] = ...) -> None: ...
