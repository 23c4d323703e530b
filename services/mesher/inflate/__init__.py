"""The embedded mesher: silhouette and relative depth to a closed solid, without a network."""

from services.mesher.inflate.solid import inflate

__all__ = ["inflate"]
