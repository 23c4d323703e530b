"""The embedded mesher: silhouette and relative depth to a closed solid, without a network."""

from services.mesher.geometry.camera import Camera, default_camera
from services.mesher.inflate.solid import InflateOptions, inflate

__all__ = ["Camera", "InflateOptions", "default_camera", "inflate"]
