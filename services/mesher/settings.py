"""Settings of the mesher service."""

from __future__ import annotations

from services.common.settings import StageSettings


class MesherSettings(StageSettings):
    """Settings of the mesher service."""

    backend: str = "auto"
    """auto, triposr[?device=…&dtype=…], or inflate."""
