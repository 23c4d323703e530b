from unflat.v1 import common_pb2 as _common_pb2
from unflat.v1 import depth_pb2 as _depth_pb2
from unflat.v1 import mesher_pb2 as _mesher_pb2
from unflat.v1 import segmentation_pb2 as _segmentation_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Strategy(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STRATEGY_UNSPECIFIED: _ClassVar[Strategy]
    STRATEGY_AUTO: _ClassVar[Strategy]
    STRATEGY_DEPTH_GUIDED: _ClassVar[Strategy]
    STRATEGY_INTERSECTION: _ClassVar[Strategy]
    STRATEGY_UNION: _ClassVar[Strategy]
    STRATEGY_SEGMENTATION: _ClassVar[Strategy]

class ImageFormat(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    IMAGE_FORMAT_UNSPECIFIED: _ClassVar[ImageFormat]
    IMAGE_FORMAT_PNG: _ClassVar[ImageFormat]
    IMAGE_FORMAT_WEBP: _ClassVar[ImageFormat]
    IMAGE_FORMAT_TIFF: _ClassVar[ImageFormat]
    IMAGE_FORMAT_JPEG: _ClassVar[ImageFormat]

class MetadataMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    METADATA_MODE_UNSPECIFIED: _ClassVar[MetadataMode]
    METADATA_MODE_ALL: _ClassVar[MetadataMode]
    METADATA_MODE_NO_GPS: _ClassVar[MetadataMode]
    METADATA_MODE_NONE: _ClassVar[MetadataMode]

class Outcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OUTCOME_UNSPECIFIED: _ClassVar[Outcome]
    OUTCOME_OK: _ClassVar[Outcome]
    OUTCOME_DISABLED: _ClassVar[Outcome]
    OUTCOME_UNAVAILABLE: _ClassVar[Outcome]
    OUTCOME_TIMEOUT: _ClassVar[Outcome]
    OUTCOME_INVALID: _ClassVar[Outcome]
    OUTCOME_SUPPLIED: _ClassVar[Outcome]

class MaskSource(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MASK_SOURCE_UNSPECIFIED: _ClassVar[MaskSource]
    MASK_SOURCE_SEGMENTATION: _ClassVar[MaskSource]
    MASK_SOURCE_OWN_ALPHA: _ClassVar[MaskSource]
    MASK_SOURCE_SUPPLIED: _ClassVar[MaskSource]

class Serving(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SERVING_UNSPECIFIED: _ClassVar[Serving]
    SERVING_SERVING: _ClassVar[Serving]
    SERVING_NOT_SERVING: _ClassVar[Serving]
    SERVING_UNREACHABLE: _ClassVar[Serving]
STRATEGY_UNSPECIFIED: Strategy
STRATEGY_AUTO: Strategy
STRATEGY_DEPTH_GUIDED: Strategy
STRATEGY_INTERSECTION: Strategy
STRATEGY_UNION: Strategy
STRATEGY_SEGMENTATION: Strategy
IMAGE_FORMAT_UNSPECIFIED: ImageFormat
IMAGE_FORMAT_PNG: ImageFormat
IMAGE_FORMAT_WEBP: ImageFormat
IMAGE_FORMAT_TIFF: ImageFormat
IMAGE_FORMAT_JPEG: ImageFormat
METADATA_MODE_UNSPECIFIED: MetadataMode
METADATA_MODE_ALL: MetadataMode
METADATA_MODE_NO_GPS: MetadataMode
METADATA_MODE_NONE: MetadataMode
OUTCOME_UNSPECIFIED: Outcome
OUTCOME_OK: Outcome
OUTCOME_DISABLED: Outcome
OUTCOME_UNAVAILABLE: Outcome
OUTCOME_TIMEOUT: Outcome
OUTCOME_INVALID: Outcome
OUTCOME_SUPPLIED: Outcome
MASK_SOURCE_UNSPECIFIED: MaskSource
MASK_SOURCE_SEGMENTATION: MaskSource
MASK_SOURCE_OWN_ALPHA: MaskSource
MASK_SOURCE_SUPPLIED: MaskSource
SERVING_UNSPECIFIED: Serving
SERVING_SERVING: Serving
SERVING_NOT_SERVING: Serving
SERVING_UNREACHABLE: Serving

class Photo(_message.Message):
    __slots__ = ("file", "mask", "depth")
    FILE_FIELD_NUMBER: _ClassVar[int]
    MASK_FIELD_NUMBER: _ClassVar[int]
    DEPTH_FIELD_NUMBER: _ClassVar[int]
    file: bytes
    mask: bytes
    depth: bytes
    def __init__(self, file: _Optional[bytes] = ..., mask: _Optional[bytes] = ..., depth: _Optional[bytes] = ...) -> None: ...

class MaskOptions(_message.Message):
    __slots__ = ("segmentation", "strategy", "depth_percentile", "depth", "depth_wait_s", "estimate")
    SEGMENTATION_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_FIELD_NUMBER: _ClassVar[int]
    DEPTH_PERCENTILE_FIELD_NUMBER: _ClassVar[int]
    DEPTH_FIELD_NUMBER: _ClassVar[int]
    DEPTH_WAIT_S_FIELD_NUMBER: _ClassVar[int]
    ESTIMATE_FIELD_NUMBER: _ClassVar[int]
    segmentation: _segmentation_pb2.SegmentationOptions
    strategy: Strategy
    depth_percentile: float
    depth: bool
    depth_wait_s: float
    estimate: _depth_pb2.DepthOptions
    def __init__(self, segmentation: _Optional[_Union[_segmentation_pb2.SegmentationOptions, _Mapping]] = ..., strategy: _Optional[_Union[Strategy, str]] = ..., depth_percentile: _Optional[float] = ..., depth: _Optional[bool] = ..., depth_wait_s: _Optional[float] = ..., estimate: _Optional[_Union[_depth_pb2.DepthOptions, _Mapping]] = ...) -> None: ...

class CutoutOptions(_message.Message):
    __slots__ = ("mask_only", "format", "matting", "foreground_threshold", "background_threshold", "erode_size", "background", "metadata", "with_mask", "estimate_foreground", "margin_px")
    MASK_ONLY_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    MATTING_FIELD_NUMBER: _ClassVar[int]
    FOREGROUND_THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    BACKGROUND_THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    ERODE_SIZE_FIELD_NUMBER: _ClassVar[int]
    BACKGROUND_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    WITH_MASK_FIELD_NUMBER: _ClassVar[int]
    ESTIMATE_FOREGROUND_FIELD_NUMBER: _ClassVar[int]
    MARGIN_PX_FIELD_NUMBER: _ClassVar[int]
    mask_only: bool
    format: ImageFormat
    matting: bool
    foreground_threshold: int
    background_threshold: int
    erode_size: int
    background: _containers.RepeatedScalarFieldContainer[int]
    metadata: MetadataMode
    with_mask: bool
    estimate_foreground: bool
    margin_px: int
    def __init__(self, mask_only: _Optional[bool] = ..., format: _Optional[_Union[ImageFormat, str]] = ..., matting: _Optional[bool] = ..., foreground_threshold: _Optional[int] = ..., background_threshold: _Optional[int] = ..., erode_size: _Optional[int] = ..., background: _Optional[_Iterable[int]] = ..., metadata: _Optional[_Union[MetadataMode, str]] = ..., with_mask: _Optional[bool] = ..., estimate_foreground: _Optional[bool] = ..., margin_px: _Optional[int] = ...) -> None: ...

class RemoveBackgroundRequest(_message.Message):
    __slots__ = ("photo", "mask", "cutout", "debug")
    PHOTO_FIELD_NUMBER: _ClassVar[int]
    MASK_FIELD_NUMBER: _ClassVar[int]
    CUTOUT_FIELD_NUMBER: _ClassVar[int]
    DEBUG_FIELD_NUMBER: _ClassVar[int]
    photo: Photo
    mask: MaskOptions
    cutout: CutoutOptions
    debug: bool
    def __init__(self, photo: _Optional[_Union[Photo, _Mapping]] = ..., mask: _Optional[_Union[MaskOptions, _Mapping]] = ..., cutout: _Optional[_Union[CutoutOptions, _Mapping]] = ..., debug: _Optional[bool] = ...) -> None: ...

class GenerateMeshRequest(_message.Message):
    __slots__ = ("photo", "mask", "mesh", "debug")
    PHOTO_FIELD_NUMBER: _ClassVar[int]
    MASK_FIELD_NUMBER: _ClassVar[int]
    MESH_FIELD_NUMBER: _ClassVar[int]
    DEBUG_FIELD_NUMBER: _ClassVar[int]
    photo: Photo
    mask: MaskOptions
    mesh: _mesher_pb2.MeshOptions
    debug: bool
    def __init__(self, photo: _Optional[_Union[Photo, _Mapping]] = ..., mask: _Optional[_Union[MaskOptions, _Mapping]] = ..., mesh: _Optional[_Union[_mesher_pb2.MeshOptions, _Mapping]] = ..., debug: _Optional[bool] = ...) -> None: ...

class RemoveBackgroundResponse(_message.Message):
    __slots__ = ("progress", "result")
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    progress: Progress
    result: CutoutResult
    def __init__(self, progress: _Optional[_Union[Progress, _Mapping]] = ..., result: _Optional[_Union[CutoutResult, _Mapping]] = ...) -> None: ...

class GenerateMeshResponse(_message.Message):
    __slots__ = ("progress", "result")
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    progress: Progress
    result: MeshResult
    def __init__(self, progress: _Optional[_Union[Progress, _Mapping]] = ..., result: _Optional[_Union[MeshResult, _Mapping]] = ...) -> None: ...

class Progress(_message.Message):
    __slots__ = ("stage", "step", "fraction", "elapsed_s", "preview_png")
    STAGE_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    FRACTION_FIELD_NUMBER: _ClassVar[int]
    ELAPSED_S_FIELD_NUMBER: _ClassVar[int]
    PREVIEW_PNG_FIELD_NUMBER: _ClassVar[int]
    stage: str
    step: str
    fraction: float
    elapsed_s: float
    preview_png: bytes
    def __init__(self, stage: _Optional[str] = ..., step: _Optional[str] = ..., fraction: _Optional[float] = ..., elapsed_s: _Optional[float] = ..., preview_png: _Optional[bytes] = ...) -> None: ...

class CutoutResult(_message.Message):
    __slots__ = ("image", "media_type", "receipt", "debug", "mask")
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    MEDIA_TYPE_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    DEBUG_FIELD_NUMBER: _ClassVar[int]
    MASK_FIELD_NUMBER: _ClassVar[int]
    image: bytes
    media_type: str
    receipt: Receipt
    debug: _containers.RepeatedCompositeFieldContainer[DebugPicture]
    mask: bytes
    def __init__(self, image: _Optional[bytes] = ..., media_type: _Optional[str] = ..., receipt: _Optional[_Union[Receipt, _Mapping]] = ..., debug: _Optional[_Iterable[_Union[DebugPicture, _Mapping]]] = ..., mask: _Optional[bytes] = ...) -> None: ...

class MeshResult(_message.Message):
    __slots__ = ("mesh", "format", "cutout", "receipt", "debug")
    MESH_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    CUTOUT_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    DEBUG_FIELD_NUMBER: _ClassVar[int]
    mesh: bytes
    format: _mesher_pb2.MeshFormat
    cutout: bytes
    receipt: Receipt
    debug: _containers.RepeatedCompositeFieldContainer[DebugPicture]
    def __init__(self, mesh: _Optional[bytes] = ..., format: _Optional[_Union[_mesher_pb2.MeshFormat, str]] = ..., cutout: _Optional[bytes] = ..., receipt: _Optional[_Union[Receipt, _Mapping]] = ..., debug: _Optional[_Iterable[_Union[DebugPicture, _Mapping]]] = ...) -> None: ...

class DebugPicture(_message.Message):
    __slots__ = ("name", "png")
    NAME_FIELD_NUMBER: _ClassVar[int]
    PNG_FIELD_NUMBER: _ClassVar[int]
    name: str
    png: bytes
    def __init__(self, name: _Optional[str] = ..., png: _Optional[bytes] = ...) -> None: ...

class GetDepthRequest(_message.Message):
    __slots__ = ("file", "options")
    FILE_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    file: bytes
    options: _depth_pb2.DepthOptions
    def __init__(self, file: _Optional[bytes] = ..., options: _Optional[_Union[_depth_pb2.DepthOptions, _Mapping]] = ...) -> None: ...

class GetDepthResponse(_message.Message):
    __slots__ = ("depth", "stage")
    DEPTH_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    depth: _common_pb2.DepthMap
    stage: StageReceipt
    def __init__(self, depth: _Optional[_Union[_common_pb2.DepthMap, _Mapping]] = ..., stage: _Optional[_Union[StageReceipt, _Mapping]] = ...) -> None: ...

class StageReceipt(_message.Message):
    __slots__ = ("stage", "outcome", "reason", "report", "total_s", "transport_s", "cached")
    STAGE_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    TOTAL_S_FIELD_NUMBER: _ClassVar[int]
    TRANSPORT_S_FIELD_NUMBER: _ClassVar[int]
    CACHED_FIELD_NUMBER: _ClassVar[int]
    stage: str
    outcome: Outcome
    reason: str
    report: _common_pb2.StageReport
    total_s: float
    transport_s: float
    cached: bool
    def __init__(self, stage: _Optional[str] = ..., outcome: _Optional[_Union[Outcome, str]] = ..., reason: _Optional[str] = ..., report: _Optional[_Union[_common_pb2.StageReport, _Mapping]] = ..., total_s: _Optional[float] = ..., transport_s: _Optional[float] = ..., cached: _Optional[bool] = ...) -> None: ...

class Receipt(_message.Message):
    __slots__ = ("request_id", "version", "photo", "stages", "steps", "total_s", "degraded", "warnings", "mask", "mesh", "verdict", "attempts")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    PHOTO_FIELD_NUMBER: _ClassVar[int]
    STAGES_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_S_FIELD_NUMBER: _ClassVar[int]
    DEGRADED_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    MASK_FIELD_NUMBER: _ClassVar[int]
    MESH_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    version: str
    photo: PhotoFacts
    stages: _containers.RepeatedCompositeFieldContainer[StageReceipt]
    steps: _containers.RepeatedCompositeFieldContainer[StepTiming]
    total_s: float
    degraded: bool
    warnings: _containers.RepeatedScalarFieldContainer[str]
    mask: MaskFacts
    mesh: _mesher_pb2.MeshQuality
    verdict: str
    attempts: _containers.RepeatedCompositeFieldContainer[MeshAttempt]
    def __init__(self, request_id: _Optional[str] = ..., version: _Optional[str] = ..., photo: _Optional[_Union[PhotoFacts, _Mapping]] = ..., stages: _Optional[_Iterable[_Union[StageReceipt, _Mapping]]] = ..., steps: _Optional[_Iterable[_Union[StepTiming, _Mapping]]] = ..., total_s: _Optional[float] = ..., degraded: _Optional[bool] = ..., warnings: _Optional[_Iterable[str]] = ..., mask: _Optional[_Union[MaskFacts, _Mapping]] = ..., mesh: _Optional[_Union[_mesher_pb2.MeshQuality, _Mapping]] = ..., verdict: _Optional[str] = ..., attempts: _Optional[_Iterable[_Union[MeshAttempt, _Mapping]]] = ...) -> None: ...

class MeshAttempt(_message.Message):
    __slots__ = ("made_of", "quality", "boundary_contrast", "score", "returned")
    MADE_OF_FIELD_NUMBER: _ClassVar[int]
    QUALITY_FIELD_NUMBER: _ClassVar[int]
    BOUNDARY_CONTRAST_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    RETURNED_FIELD_NUMBER: _ClassVar[int]
    made_of: str
    quality: _mesher_pb2.MeshQuality
    boundary_contrast: float
    score: float
    returned: bool
    def __init__(self, made_of: _Optional[str] = ..., quality: _Optional[_Union[_mesher_pb2.MeshQuality, _Mapping]] = ..., boundary_contrast: _Optional[float] = ..., score: _Optional[float] = ..., returned: _Optional[bool] = ...) -> None: ...

class PhotoFacts(_message.Message):
    __slots__ = ("width", "height", "format", "bit_depth", "working_width", "working_height", "own_alpha", "exif_orientation", "has_icc", "frames")
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    BIT_DEPTH_FIELD_NUMBER: _ClassVar[int]
    WORKING_WIDTH_FIELD_NUMBER: _ClassVar[int]
    WORKING_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    OWN_ALPHA_FIELD_NUMBER: _ClassVar[int]
    EXIF_ORIENTATION_FIELD_NUMBER: _ClassVar[int]
    HAS_ICC_FIELD_NUMBER: _ClassVar[int]
    FRAMES_FIELD_NUMBER: _ClassVar[int]
    width: int
    height: int
    format: str
    bit_depth: int
    working_width: int
    working_height: int
    own_alpha: bool
    exif_orientation: int
    has_icc: bool
    frames: int
    def __init__(self, width: _Optional[int] = ..., height: _Optional[int] = ..., format: _Optional[str] = ..., bit_depth: _Optional[int] = ..., working_width: _Optional[int] = ..., working_height: _Optional[int] = ..., own_alpha: _Optional[bool] = ..., exif_orientation: _Optional[int] = ..., has_icc: _Optional[bool] = ..., frames: _Optional[int] = ...) -> None: ...

class StepTiming(_message.Message):
    __slots__ = ("step", "seconds")
    STEP_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    step: str
    seconds: float
    def __init__(self, step: _Optional[str] = ..., seconds: _Optional[float] = ...) -> None: ...

class MaskFacts(_message.Message):
    __slots__ = ("strategy", "used_depth", "agreement", "confidence", "coverage", "frame_share", "touches", "note", "source")
    STRATEGY_FIELD_NUMBER: _ClassVar[int]
    USED_DEPTH_FIELD_NUMBER: _ClassVar[int]
    AGREEMENT_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    COVERAGE_FIELD_NUMBER: _ClassVar[int]
    FRAME_SHARE_FIELD_NUMBER: _ClassVar[int]
    TOUCHES_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    strategy: Strategy
    used_depth: bool
    agreement: float
    confidence: float
    coverage: float
    frame_share: float
    touches: _containers.RepeatedScalarFieldContainer[str]
    note: str
    source: MaskSource
    def __init__(self, strategy: _Optional[_Union[Strategy, str]] = ..., used_depth: _Optional[bool] = ..., agreement: _Optional[float] = ..., confidence: _Optional[float] = ..., coverage: _Optional[float] = ..., frame_share: _Optional[float] = ..., touches: _Optional[_Iterable[str]] = ..., note: _Optional[str] = ..., source: _Optional[_Union[MaskSource, str]] = ...) -> None: ...

class GetStatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetStatusResponse(_message.Message):
    __slots__ = ("version", "stages")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    STAGES_FIELD_NUMBER: _ClassVar[int]
    version: str
    stages: _containers.RepeatedCompositeFieldContainer[StageStatus]
    def __init__(self, version: _Optional[str] = ..., stages: _Optional[_Iterable[_Union[StageStatus, _Mapping]]] = ...) -> None: ...

class StageStatus(_message.Message):
    __slots__ = ("stage", "address", "serving", "reason", "backend", "device", "breaker")
    STAGE_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    SERVING_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    BACKEND_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    BREAKER_FIELD_NUMBER: _ClassVar[int]
    stage: str
    address: str
    serving: Serving
    reason: str
    backend: str
    device: str
    breaker: str
    def __init__(self, stage: _Optional[str] = ..., address: _Optional[str] = ..., serving: _Optional[_Union[Serving, str]] = ..., reason: _Optional[str] = ..., backend: _Optional[str] = ..., device: _Optional[str] = ..., breaker: _Optional[str] = ...) -> None: ...
