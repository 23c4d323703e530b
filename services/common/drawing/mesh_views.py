"""Six small pictures of a mesh, drawn in software: no OpenGL, no window, only NumPy.

A z-buffer over all triangles at once: those of like size are drawn together, each as its block of pixels, and a pixel
keeps the nearest one. Smooth normals, one soft light from above beside the viewer, orthographic, light neutral ground.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from services.common.arrays import RGB, RGBA, Colours, Faces, Points

GROUND = 238  # grey of the background
CLAY = (196, 190, 182)  # of a mesh without colours
FILL = 0.9  # share of the picture that the mesh may take, whichever way it is turned
LIGHT = (-0.35, 0.65, 0.67)  # in the view: from above, left of the viewer
AMBIENT, DIFFUSE = 0.62, 0.45  # gentle: the photo's own light is in the colours already
SUPERSAMPLING = 2
CAPTION_PX = 18
BLOCKS = (2, 3, 4, 6, 8, 12, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)  # pixel blocks in which triangles are drawn
CANDIDATES = 2_000_000  # pixels tested at a time

Float = npt.NDArray[np.float32]
Int = npt.NDArray[np.int64]


@dataclass(frozen=True)
class View:
    """Where a picture is taken from.

    Attributes:
        name: the caption.
        azimuth_degrees: 0 looks at the front (+Z), 90 at the right side (+X), counter-clockwise seen from above.
        elevation_degrees: 90 looks down from above.
    """

    name: str
    azimuth_degrees: float
    elevation_degrees: float


SIX_VIEWS: tuple[View, ...] = (
    View("front", 0, 0),
    View("right", 90, 0),
    View("back", 180, 0),
    View("left", 270, 0),
    View("top", 0, 89.9),
    View("three-quarter", 35, 25),
)


def render_views(
    vertices: Points,
    faces: Faces,
    colours: Colours | None,
    side: int = 256,
    views: tuple[View, ...] = SIX_VIEWS,
) -> list[RGB]:
    """Return one picture a view.

    Args:
        vertices: (n, 3) float, +Y up, +Z the front.
        faces: (m, 3) int, counter-clockwise seen from outside; faces seen from behind are drawn all the same.
        colours: (n, 3) uint8 sRGB, or None for clay.
        side: of each picture in pixels.
        views: where from.

    Returns:
        A list of (side, side, 3) uint8, all at the same scale.
    """
    if len(faces) == 0:
        return [np.full((side, side, 3), GROUND, dtype=np.uint8) for _ in views]
    points = np.asarray(vertices, dtype=np.float32)
    points = points - (points.min(axis=0) + points.max(axis=0)) / 2
    radius = float(np.sqrt((points**2).sum(axis=1).max()))
    points = points / max(radius, 1e-12)
    normals = _vertex_normals(points, faces)
    paint = np.broadcast_to(np.asarray(CLAY, np.uint8), points.shape) if colours is None else colours[:, :3]
    albedo = np.asarray(paint, dtype=np.float32)
    return [_draw(points, faces, normals, albedo, side, view) for view in views]


def contact_sheet(photo: RGB, cutout: RGBA, views: list[RGB], names: tuple[str, ...] | None = None) -> RGB:
    """Return one picture: the photo and the cutout on a chequerboard, then the views, each with a small caption.

    Args:
        photo: (H, W, 3) uint8.
        cutout: (H', W', 4) uint8, straight alpha.
        views: square pictures of equal size, as `render_views` returns them.
        names: captions of the views; those of `SIX_VIEWS` by default.
    """
    side = views[0].shape[0] if views else 256
    captions = names if names is not None else tuple(view.name for view in SIX_VIEWS)
    over_board = _over_chequerboard(_fit(cutout, side), side)
    tiles = [_centre(_fit(photo, side), side), over_board, *views]
    labels = ["photo", "cutout", *captions[: len(views)]]
    columns = (len(tiles) + 1) // 2
    gap = max(4, side // 40)
    height = side + CAPTION_PX
    sheet = np.full((2 * (height + gap) + gap, columns * (side + gap) + gap, 3), 255, dtype=np.uint8)
    for k, tile in enumerate(tiles):
        top, left = gap + (k // columns) * (height + gap), gap + (k % columns) * (side + gap)
        sheet[top : top + side, left : left + side] = tile
    picture = Image.fromarray(sheet)
    pen = ImageDraw.Draw(picture)
    font = ImageFont.load_default(size=12)
    for k, label in enumerate(labels):
        top, left = gap + (k // columns) * (height + gap), gap + (k % columns) * (side + gap)
        pen.text((left + side / 2, top + side + CAPTION_PX / 2), label, fill=(90, 90, 90), font=font, anchor="mm")
    return np.asarray(picture, dtype=np.uint8)


def read_mesh(data: bytes, format: Literal["glb", "obj", "ply", "stl"]) -> tuple[Points, Faces, Colours | None]:  # noqa: A002
    """Return vertices, faces and sRGB vertex colours of a mesh file, as `render_views` wants them.

    Linear vertex colours of a GLB become sRGB; a texture is read at the vertices.
    """
    import trimesh

    loaded = trimesh.load(io.BytesIO(data), file_type=format, process=False)
    body: Any = _one_body(loaded) if isinstance(loaded, trimesh.Scene) else loaded
    vertices = np.asarray(body.vertices, dtype=np.float64)
    faces = np.asarray(body.faces, dtype=np.int32)
    visual = body.visual
    if getattr(visual, "uv", None) is not None:
        return vertices, faces, np.asarray(visual.to_color().vertex_colors[:, :3], dtype=np.uint8)
    attributes = getattr(visual, "vertex_attributes", {})
    found = attributes.get("color")
    if found is None and visual.kind == "vertex":
        found = visual.vertex_colors
    if found is None:
        return vertices, faces, None
    share = np.asarray(found)[:, :3]
    light = share.astype(np.float64) / (255.0 if share.dtype.kind in "ui" else 1.0)
    if format == "glb":
        light = np.where(light <= 0.0031308, 12.92 * light, 1.055 * np.maximum(light, 1e-9) ** (1 / 2.4) - 0.055)
    return vertices, faces, np.asarray(np.rint(np.clip(light, 0, 1) * 255), dtype=np.uint8)


def rasterise(screen: Float, depth: Float, faces: Faces, size: int) -> tuple[Int, Float, Int]:
    """Return what each covered pixel of a square picture sees.

    Args:
        screen: (n, 2) float32 pixel positions of the vertices, pixel centres at .5.
        depth: (n,) float32 in [-2, 2], larger is nearer to the viewer.
        faces: (m, 3) int32, drawn from both sides.
        size: of the picture in pixels.
    Returns:
        The nearest face (p,), its barycentric weights (p, 3) in the picture, and the flat pixel index (p,).
    """
    a, b, c = (screen[faces[:, k]] for k in range(3))
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    low = np.maximum(np.ceil(np.minimum(np.minimum(a, b), c) - 0.5), 0).astype(np.int64)
    high = np.minimum(np.floor(np.maximum(np.maximum(a, b), c) - 0.5), size - 1).astype(np.int64)
    reach = (high - low + 1).max(axis=1)
    drawn = (np.abs(area) > 1e-12) & ((high - low).min(axis=1) >= 0)
    nearest = np.full(size * size, np.iinfo(np.int64).max, dtype=np.int64)
    smallest = 0
    for block in BLOCKS:
        chosen = np.flatnonzero(drawn & (reach > smallest) & (reach <= block))
        smallest = block
        step = max(1, CANDIDATES // (block * block))
        for start in range(0, len(chosen), step):
            _fill(nearest, chosen[start : start + step], block, low, (a, b, c), area, depth, faces, size)
    pixel = np.flatnonzero(nearest != np.iinfo(np.int64).max)
    face = nearest[pixel] & 0xFFFFFFFF
    x, y = (pixel % size + 0.5).astype(np.float32), (pixel // size + 0.5).astype(np.float32)
    return face, np.stack(_barycentric(x, y, a[face], b[face], c[face], area[face]), axis=1), pixel


def _one_body(scene: Any) -> Any:
    """Return the scene's only mesh where it stands, or all joined; joining several loses their vertex colours."""
    nodes = scene.graph.nodes_geometry
    if len(nodes) != 1:
        return scene.to_geometry()
    transform, name = scene.graph.get(nodes[0])
    body = scene.geometry[name]
    if not np.allclose(transform, np.eye(4)):
        body.apply_transform(transform)
    return body


def _draw(points: Float, faces: Faces, normals: Float, albedo: Float, side: int, view: View) -> RGB:
    turn = _rotation(view)
    size = side * SUPERSAMPLING
    seen = points @ turn.T
    half = size / 2
    screen = np.stack([half + seen[:, 0] * half * FILL, half - seen[:, 1] * half * FILL], axis=1)
    face, weights, pixel = rasterise(screen, seen[:, 2], faces, size)

    corners = faces[face]
    normal = np.einsum("pk,pkc->pc", weights, normals[corners]) @ turn.T
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    light = np.asarray(LIGHT, np.float32) / np.float32(np.linalg.norm(LIGHT))
    shade = AMBIENT + DIFFUSE * np.maximum(np.abs(normal[:, 2:]) * 0.25 + 0.75 * (normal @ light)[:, None], 0.0)
    colour = np.einsum("pk,pkc->pc", weights, albedo[corners]) * shade
    canvas = np.full((size * size, 3), float(GROUND), dtype=np.float32)
    canvas[pixel] = np.minimum(colour, 255.0)
    small = canvas.reshape(side, SUPERSAMPLING, side, SUPERSAMPLING, 3).mean(axis=(1, 3))
    return np.asarray(np.rint(small), dtype=np.uint8)


def _fill(
    nearest: Int,
    chosen: Int,
    block: int,
    low: Int,
    corners: tuple[Float, Float, Float],
    area: Float,
    depth: Float,
    faces: Faces,
    size: int,
) -> None:
    """Enter the chosen triangles into the z-buffer: key = depth in the upper bits, face in the lower 32."""
    dy, dx = np.divmod(np.arange(block * block), block)
    x = low[chosen, 0, None] + dx
    y = low[chosen, 1, None] + dy
    a, b, c = (corner[chosen, None] for corner in corners)
    u, v, w = _barycentric((x + 0.5).astype(np.float32), (y + 0.5).astype(np.float32), a, b, c, area[chosen, None])
    covered = (u >= -1e-5) & (v >= -1e-5) & (w >= -1e-5) & (x < size) & (y < size)
    row, column = np.nonzero(covered)
    face = chosen[row]
    z = (
        u[row, column] * depth[faces[face, 0]]
        + v[row, column] * depth[faces[face, 1]]
        + w[row, column] * depth[faces[face, 2]]
    )
    key = (((2.0 - z) * (1 << 28)).astype(np.int64) << 32) | face
    np.minimum.at(nearest, y[row, column] * size + x[row, column], key)


def _barycentric(x: Float, y: Float, a: Float, b: Float, c: Float, area: Float) -> tuple[Float, Float, Float]:
    v = ((x - a[..., 0]) * (c[..., 1] - a[..., 1]) - (y - a[..., 1]) * (c[..., 0] - a[..., 0])) / area
    w = ((b[..., 0] - a[..., 0]) * (y - a[..., 1]) - (b[..., 1] - a[..., 1]) * (x - a[..., 0])) / area
    u = np.asarray(1.0 - v - w, dtype=np.float32)
    return u, np.asarray(v, dtype=np.float32), np.asarray(w, dtype=np.float32)


def _rotation(view: View) -> Float:
    """Return the (3, 3) rotation that carries the mesh into the view: x right, y up, z towards the viewer."""
    azimuth, elevation = np.radians([view.azimuth_degrees, view.elevation_degrees])
    ca, sa, ce, se = np.cos(azimuth), np.sin(azimuth), np.cos(elevation), np.sin(elevation)
    about_y = np.array([[ca, 0, -sa], [0, 1, 0], [sa, 0, ca]])
    about_x = np.array([[1, 0, 0], [0, ce, -se], [0, se, ce]])
    return np.asarray(about_x @ about_y, dtype=np.float32)


def _vertex_normals(points: Float, faces: Faces) -> Float:
    a, b, c = (points[faces[:, k]] for k in range(3))
    by_face = np.cross(b - a, c - a)
    total = np.stack(
        [np.bincount(faces.ravel(), np.repeat(by_face[:, k], 3), minlength=len(points)) for k in range(3)], axis=1
    )
    return np.asarray(total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-20), dtype=np.float32)


def _fit(picture: RGB | RGBA, side: int) -> RGB | RGBA:
    """Return the picture scaled so that its long side is `side`."""
    height, width = picture.shape[:2]
    factor = side / max(height, width)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS), dtype=np.uint8)


def _centre(picture: RGB, side: int) -> RGB:
    tile = np.full((side, side, 3), GROUND, dtype=np.uint8)
    top, left = (side - picture.shape[0]) // 2, (side - picture.shape[1]) // 2
    tile[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return tile


def _over_chequerboard(cutout: RGBA, side: int) -> RGB:
    square = max(4, side // 24)
    row, column = np.mgrid[:side, :side] // square
    board = np.where(((row + column) % 2 == 0)[..., None], 255, 205).astype(np.float32).repeat(3, axis=2)
    top, left = (side - cutout.shape[0]) // 2, (side - cutout.shape[1]) // 2
    area = board[top : top + cutout.shape[0], left : left + cutout.shape[1]]
    share = cutout[..., 3:].astype(np.float32) / 255.0
    area[:] = share * cutout[..., :3] + (1 - share) * area
    return np.asarray(np.rint(board), dtype=np.uint8)
