"""Where a photo is taken: camera, light, and everything in a scene, as plain data."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from evaluation.synthetic.materials import Material
from evaluation.synthetic.solids import Solid, moved, rounded_box

Points = npt.NDArray[np.float64]
Environment = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Thing:
    """A solid and its material, in world coordinates (y up, the ground is y = 0)."""

    solid: Solid
    material: Material


@dataclass(frozen=True)
class Camera:
    """A pinhole (or thin-lens) camera.

    Convention: camera coordinates are x right, y up, z towards the camera, which looks along -z. A camera point falls
    on `u = cx + fx x / -z`, `v = cy - fy y / -z`, pixel centres at .5; the centre is the middle of the picture.

    Attributes:
        position: Where it stands, world.
        target: What falls on the middle of the picture, world.
        width, height: Picture size, pixels.
        fov_x_degrees: Angle that the picture's width covers.
        aperture: Lens radius in scene units; 0 is a pinhole.
    """

    position: Points
    target: Points
    width: int
    height: int
    fov_x_degrees: float
    aperture: float = 0.0

    @property
    def focal_px(self) -> float:
        """Focal length in pixels, the same in x and y."""
        return float(self.width / 2.0 / np.tan(np.radians(self.fov_x_degrees) / 2.0))

    @property
    def rotation(self) -> Points:
        """(3, 3): rows are the camera's x, y and z axes in world coordinates."""
        back = self.position - self.target
        back = back / np.linalg.norm(back)
        right = np.cross([0.0, 1.0, 0.0], back)
        right = right / np.linalg.norm(right)
        return np.stack([right, np.cross(back, right), back])

    def to_camera(self, points: Points) -> Points:
        """Return world points (n, 3) in camera coordinates."""
        return np.asarray((points - self.position) @ self.rotation.T, dtype=np.float64)

    def project(self, points: Points) -> Points:
        """Return the pixel coordinates (n, 2) of world points in front of the camera."""
        x, y, z = self.to_camera(points).T
        return np.stack([self.width / 2.0 + self.focal_px * x / -z, self.height / 2.0 - self.focal_px * y / -z], axis=1)


@dataclass(frozen=True)
class Lamp:
    """A rectangle that shines towards a point.

    Attributes:
        position, towards: World points.
        size: Side lengths, scene units.
        radiance: Linear RGB.
    """

    position: Points
    towards: Points
    size: tuple[float, float]
    radiance: Points


@dataclass(frozen=True)
class Stage:
    """All that the renderer needs: what is in front of the camera and what shines."""

    subject: tuple[Thing, ...]
    surroundings: tuple[Thing, ...]
    camera: Camera
    environment: Environment
    lamps: tuple[Lamp, ...] = field(default=())


def look_at(elevation_degrees: float, distance: float, target: Points, azimuth_degrees: float = 0.0) -> Points:
    """Return the position from which `target` is seen at an elevation above the horizon."""
    e, a = np.radians(elevation_degrees), np.radians(azimuth_degrees)
    return np.asarray(target + distance * np.array([np.cos(e) * np.sin(a), np.sin(e), np.cos(e) * np.cos(a)]))


def plane(width: float, depth: float, height: float = 0.0, thickness: float = 0.1) -> Solid:
    """Return a slab whose upper face is at y = `height`, with texture coordinates in scene units."""
    return moved(rounded_box((width, thickness, depth), min(0.03, 0.3 * thickness)), (0.0, height - thickness / 2, 0.0))


def wall(width: float, height: float, z: float, thickness: float = 0.1) -> Solid:
    """Return an upright slab whose front face is at `z`, standing on y = 0."""
    return moved(rounded_box((width, height, thickness), 0.02), (0.0, height / 2.0 - 0.5, z - thickness / 2.0))


def room(rng: np.random.Generator, window: float = 14.0, warmth: float = 0.0, side: float = -1.0) -> Environment:
    """Return an indoor surround, (256, 512, 3) linear: soft walls, a window with bars on one side, furniture.

    Args:
        rng: Where furniture stands and how it looks.
        window: Brightness of the window, against walls of about 0.3.
        warmth: -1 cold to 1 warm light.
        side: -1 puts the window left of the camera's view, 1 right.
    """
    high, wide = 256, 512
    up = np.linspace(1.0, -1.0, high)[:, None]  # 1 straight up
    tint = np.array([1.0 + 0.14 * warmth, 1.0, 1.0 - 0.2 * warmth])
    level = 0.34 + 0.16 * np.clip(up, 0.0, 1.0) - 0.12 * np.clip(-up, 0.0, 1.0)
    picture = np.repeat(level, wide, axis=1)[..., None] * tint * np.array([1.0, 0.96, 0.9])
    for _ in range(14):
        left, top = int(rng.integers(0, wide)), int(rng.integers(int(high * 0.35), int(high * 0.55)))
        across, down = int(rng.integers(10, 50)), int(rng.integers(20, 70))
        columns = np.arange(left, left + across) % wide
        picture[top : top + down, columns] = rng.uniform(0.04, 0.45) * rng.uniform(0.6, 1.0, 3)
    picture = ndimage.gaussian_filter(picture, (5.0, 5.0, 0.0), mode=("nearest", "wrap", "nearest"))
    # Column 0.5 is straight ahead of the camera; the window is beside and a little behind the subject.
    centre = int(wide * (0.5 + side * rng.uniform(0.17, 0.27)))
    half, top, bottom = int(rng.integers(22, 34)), int(high * 0.22), int(high * 0.47)
    sky = np.array([0.86, 0.95, 1.08]) * window * (1.0 + 0.25 * np.linspace(1.0, -1.0, bottom - top)[:, None, None])
    columns = np.arange(centre - half, centre + half) % wide
    picture[top:bottom, columns] = sky
    for bar in (-half, -1, half - 2):
        picture[top:bottom, np.arange(centre + bar, centre + bar + 3) % wide] = 0.25
    picture[(top + bottom) // 2 - 1 : (top + bottom) // 2 + 1, columns] = 0.25
    return np.asarray(
        ndimage.gaussian_filter(picture, (0.8, 0.8, 0.0), mode=("nearest", "wrap", "nearest")), np.float32
    )


def outdoors(rng: np.random.Generator, sun: float = 60.0, side: float = -1.0) -> Environment:
    """Return a hazy open sky with a soft sun and out-of-focus greenery at the horizon, (256, 512, 3) linear."""
    high, wide = 256, 512
    up = np.linspace(1.0, -1.0, high)[:, None, None]
    blue, haze = np.array([0.35, 0.55, 0.95]), np.array([0.95, 0.97, 1.0])
    picture = np.repeat(np.where(up > 0.0, haze + (blue - haze) * np.clip(up * 1.6, 0.0, 1.0), 0.18), wide, axis=1)
    clouds = ndimage.gaussian_filter(rng.standard_normal((high, wide)), (7.0, 18.0), mode=("nearest", "wrap"))
    picture += 0.25 * np.clip(clouds / clouds.std(), 0.0, 2.0)[..., None] * (up > 0.05)
    edge = ndimage.gaussian_filter1d(rng.standard_normal(wide), 6.0, mode="wrap")
    top = high * 0.5 - 12.0 - 9.0 * edge / edge.std()
    green = ndimage.gaussian_filter(rng.random((high, wide, 3)), (2.5, 2.5, 0.0), mode=("nearest", "wrap", "nearest"))
    green = np.array([0.11, 0.16, 0.06]) * (1.0 + 6.0 * (green - 0.5))
    trees = (np.arange(high)[:, None] > top) & (np.arange(high)[:, None] < high * 0.58)
    picture = np.where(trees[..., None], np.clip(green, 0.01, 1.0), picture)
    picture = ndimage.gaussian_filter(picture, (3.0, 3.0, 0.0), mode=("nearest", "wrap", "nearest"))
    y, x = np.mgrid[0:high, 0:wide]
    where = wide * (0.5 + side * rng.uniform(0.12, 0.3))
    glow = np.exp(-((y - high * rng.uniform(0.2, 0.32)) ** 2 + (x - where) ** 2) / (2.0 * 5.0**2))
    return np.asarray(picture + sun * glow[..., None] * np.array([1.0, 0.9, 0.75]), np.float32)
