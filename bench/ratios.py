"""The page's one picture: every ratio as a bar on a logarithmic axis, in SVG."""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape

_WIDTH, _LABEL, _ROW, _TOP = 860, 430, 22, 34
_GREEN, _RED, _INK, _GRID = "#2f7d4f", "#b3492f", "#1f2933", "#d5dae0"


def draw_ratios(ratios: Mapping[str, float]) -> str:
    """Return an SVG with a bar for each ratio: to the right of 1 ours is ahead, to the left it is behind.

    Raises:
        ValueError: a ratio is not above zero.
    """
    if any(not ratio > 0 for ratio in ratios.values()):
        raise ValueError(f"ratios are {dict(ratios)}; wanted numbers above zero")
    largest = max([2.0, *ratios.values(), *(1 / ratio for ratio in ratios.values() if ratio < 1)])
    low = min([1.0, *ratios.values()])
    axis = (math.log10(low) - 0.03, math.log10(largest) + 0.2)
    height = _TOP + _ROW * len(ratios) + 12
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" '
        f'viewBox="0 0 {_WIDTH} {height}" font-family="system-ui, sans-serif" font-size="12">',
        f'<rect width="{_WIDTH}" height="{height}" fill="white"/>',
    ]
    for tick in _ticks(low, largest):
        x = _x(tick, axis)
        parts.append(f'<line x1="{x:.1f}" y1="{_TOP - 8}" x2="{x:.1f}" y2="{height - 8}" stroke="{_GRID}"/>')
        parts.append(f'<text x="{x:.1f}" y="{_TOP - 14}" text-anchor="middle" fill="{_INK}">{tick:g}×</text>')
    for row, (name, ratio) in enumerate(ratios.items()):
        y = _TOP + row * _ROW
        left, right = sorted((_x(1.0, axis), _x(ratio, axis)))
        colour = _GREEN if ratio >= 1 else _RED
        parts.append(f'<text x="{_LABEL - 12}" y="{y + 14}" text-anchor="end" fill="{_INK}">{escape(name)}</text>')
        parts.append(
            f'<rect x="{left:.1f}" y="{y + 3}" width="{max(right - left, 1):.1f}" height="14" fill="{colour}"/>'
        )
        parts.append(f'<text x="{right + 6:.1f}" y="{y + 14}" fill="{_INK}">{ratio:.2g}×</text>')
    return "\n".join([*parts, "</svg>", ""])


def _ticks(low: float, high: float) -> list[float]:
    steps = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200]
    return [step for step in steps if low * 0.99 <= step <= high * 1.01]


def _x(ratio: float, axis: tuple[float, float]) -> float:
    share = (math.log10(ratio) - axis[0]) / (axis[1] - axis[0])
    return _LABEL + share * (_WIDTH - _LABEL - 50)
