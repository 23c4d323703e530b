from unflat.v1 import common_pb2 as _common_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class MeshFormat(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MESH_FORMAT_UNSPECIFIED: _ClassVar[MeshFormat]
    MESH_FORMAT_GLB: _ClassVar[MeshFormat]
    MESH_FORMAT_OBJ: _ClassVar[MeshFormat]
    MESH_FORMAT_PLY: _ClassVar[MeshFormat]
    MESH_FORMAT_STL: _ClassVar[MeshFormat]

class TextureMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TEXTURE_MODE_UNSPECIFIED: _ClassVar[TextureMode]
    TEXTURE_MODE_VERTEX: _ClassVar[TextureMode]
    TEXTURE_MODE_BAKED: _ClassVar[TextureMode]

class MeshPlacement(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MESH_PLACEMENT_UNSPECIFIED: _ClassVar[MeshPlacement]
    MESH_PLACEMENT_CENTRED: _ClassVar[MeshPlacement]
    MESH_PLACEMENT_STANDING: _ClassVar[MeshPlacement]

class MeshVerdict(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MESH_VERDICT_UNSPECIFIED: _ClassVar[MeshVerdict]
    MESH_VERDICT_EMPTY: _ClassVar[MeshVerdict]
    MESH_VERDICT_TRULY_FLAT: _ClassVar[MeshVerdict]
    MESH_VERDICT_FLAT: _ClassVar[MeshVerdict]
    MESH_VERDICT_OPEN: _ClassVar[MeshVerdict]
    MESH_VERDICT_INSIDE_OUT: _ClassVar[MeshVerdict]
    MESH_VERDICT_UNEXPLAINED: _ClassVar[MeshVerdict]
    MESH_VERDICT_FRAGMENTED: _ClassVar[MeshVerdict]
    MESH_VERDICT_GOOD: _ClassVar[MeshVerdict]
MESH_FORMAT_UNSPECIFIED: MeshFormat
MESH_FORMAT_GLB: MeshFormat
MESH_FORMAT_OBJ: MeshFormat
MESH_FORMAT_PLY: MeshFormat
MESH_FORMAT_STL: MeshFormat
TEXTURE_MODE_UNSPECIFIED: TextureMode
TEXTURE_MODE_VERTEX: TextureMode
TEXTURE_MODE_BAKED: TextureMode
MESH_PLACEMENT_UNSPECIFIED: MeshPlacement
MESH_PLACEMENT_CENTRED: MeshPlacement
MESH_PLACEMENT_STANDING: MeshPlacement
MESH_VERDICT_UNSPECIFIED: MeshVerdict
MESH_VERDICT_EMPTY: MeshVerdict
MESH_VERDICT_TRULY_FLAT: MeshVerdict
MESH_VERDICT_FLAT: MeshVerdict
MESH_VERDICT_OPEN: MeshVerdict
MESH_VERDICT_INSIDE_OUT: MeshVerdict
MESH_VERDICT_UNEXPLAINED: MeshVerdict
MESH_VERDICT_FRAGMENTED: MeshVerdict
MESH_VERDICT_GOOD: MeshVerdict

class MeshOptions(_message.Message):
    __slots__ = ("format", "texture", "resolution", "threshold", "texture_resolution", "use_depth", "size_mm", "faces", "smooth", "placement")
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    TEXTURE_FIELD_NUMBER: _ClassVar[int]
    RESOLUTION_FIELD_NUMBER: _ClassVar[int]
    THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    TEXTURE_RESOLUTION_FIELD_NUMBER: _ClassVar[int]
    USE_DEPTH_FIELD_NUMBER: _ClassVar[int]
    SIZE_MM_FIELD_NUMBER: _ClassVar[int]
    FACES_FIELD_NUMBER: _ClassVar[int]
    SMOOTH_FIELD_NUMBER: _ClassVar[int]
    PLACEMENT_FIELD_NUMBER: _ClassVar[int]
    format: MeshFormat
    texture: TextureMode
    resolution: int
    threshold: float
    texture_resolution: int
    use_depth: bool
    size_mm: float
    faces: int
    smooth: int
    placement: MeshPlacement
    def __init__(self, format: _Optional[_Union[MeshFormat, str]] = ..., texture: _Optional[_Union[TextureMode, str]] = ..., resolution: _Optional[int] = ..., threshold: _Optional[float] = ..., texture_resolution: _Optional[int] = ..., use_depth: _Optional[bool] = ..., size_mm: _Optional[float] = ..., faces: _Optional[int] = ..., smooth: _Optional[int] = ..., placement: _Optional[_Union[MeshPlacement, str]] = ...) -> None: ...

class Camera(_message.Message):
    __slots__ = ("focal_px", "cx", "cy")
    FOCAL_PX_FIELD_NUMBER: _ClassVar[int]
    CX_FIELD_NUMBER: _ClassVar[int]
    CY_FIELD_NUMBER: _ClassVar[int]
    focal_px: float
    cx: float
    cy: float
    def __init__(self, focal_px: _Optional[float] = ..., cx: _Optional[float] = ..., cy: _Optional[float] = ...) -> None: ...

class MesherServiceGenerateMeshRequest(_message.Message):
    __slots__ = ("frame", "depth", "camera", "options")
    FRAME_FIELD_NUMBER: _ClassVar[int]
    DEPTH_FIELD_NUMBER: _ClassVar[int]
    CAMERA_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    frame: _common_pb2.Image
    depth: _common_pb2.DepthMap
    camera: Camera
    options: MeshOptions
    def __init__(self, frame: _Optional[_Union[_common_pb2.Image, _Mapping]] = ..., depth: _Optional[_Union[_common_pb2.DepthMap, _Mapping]] = ..., camera: _Optional[_Union[Camera, _Mapping]] = ..., options: _Optional[_Union[MeshOptions, _Mapping]] = ...) -> None: ...

class MeshQuality(_message.Message):
    __slots__ = ("vertices", "faces", "thickness_ratio", "view_depth_ratio", "watertight", "outward", "components", "volume", "silhouette_iou", "flat", "truly_flat", "verdict_kind", "verdict", "score")
    VERTICES_FIELD_NUMBER: _ClassVar[int]
    FACES_FIELD_NUMBER: _ClassVar[int]
    THICKNESS_RATIO_FIELD_NUMBER: _ClassVar[int]
    VIEW_DEPTH_RATIO_FIELD_NUMBER: _ClassVar[int]
    WATERTIGHT_FIELD_NUMBER: _ClassVar[int]
    OUTWARD_FIELD_NUMBER: _ClassVar[int]
    COMPONENTS_FIELD_NUMBER: _ClassVar[int]
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    SILHOUETTE_IOU_FIELD_NUMBER: _ClassVar[int]
    FLAT_FIELD_NUMBER: _ClassVar[int]
    TRULY_FLAT_FIELD_NUMBER: _ClassVar[int]
    VERDICT_KIND_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    vertices: int
    faces: int
    thickness_ratio: float
    view_depth_ratio: float
    watertight: bool
    outward: bool
    components: int
    volume: float
    silhouette_iou: float
    flat: bool
    truly_flat: bool
    verdict_kind: MeshVerdict
    verdict: str
    score: float
    def __init__(self, vertices: _Optional[int] = ..., faces: _Optional[int] = ..., thickness_ratio: _Optional[float] = ..., view_depth_ratio: _Optional[float] = ..., watertight: _Optional[bool] = ..., outward: _Optional[bool] = ..., components: _Optional[int] = ..., volume: _Optional[float] = ..., silhouette_iou: _Optional[float] = ..., flat: _Optional[bool] = ..., truly_flat: _Optional[bool] = ..., verdict_kind: _Optional[_Union[MeshVerdict, str]] = ..., verdict: _Optional[str] = ..., score: _Optional[float] = ...) -> None: ...

class MesherServiceGenerateMeshResponse(_message.Message):
    __slots__ = ("progress", "result")
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    progress: StageProgress
    result: MesherResult
    def __init__(self, progress: _Optional[_Union[StageProgress, _Mapping]] = ..., result: _Optional[_Union[MesherResult, _Mapping]] = ...) -> None: ...

class StageProgress(_message.Message):
    __slots__ = ("step", "fraction")
    STEP_FIELD_NUMBER: _ClassVar[int]
    FRACTION_FIELD_NUMBER: _ClassVar[int]
    step: str
    fraction: float
    def __init__(self, step: _Optional[str] = ..., fraction: _Optional[float] = ...) -> None: ...

class MesherResult(_message.Message):
    __slots__ = ("mesh", "format", "quality", "report")
    MESH_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    QUALITY_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    mesh: bytes
    format: MeshFormat
    quality: MeshQuality
    report: _common_pb2.StageReport
    def __init__(self, mesh: _Optional[bytes] = ..., format: _Optional[_Union[MeshFormat, str]] = ..., quality: _Optional[_Union[MeshQuality, _Mapping]] = ..., report: _Optional[_Union[_common_pb2.StageReport, _Mapping]] = ...) -> None: ...
