"""A closed surface from any density: cells found from coarse to fine, vertices between grid points, real parts kept."""

from services.mesher.extract.coarse_to_fine import Density
from services.mesher.extract.parts import keep_real_parts
from services.mesher.extract.surface import Surface, extract_surface

__all__ = ["Density", "Surface", "extract_surface", "keep_real_parts"]
