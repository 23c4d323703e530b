"""Make scenes with exact truth: `python -m evaluation scenes OUT --count 24 --seed 100`.

Needs `pip install "mitsuba>=3.9" mitsuba-oidn manifold3d`; each folder holds what `write.py` lists.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from evaluation.synthetic.compose import compose
from evaluation.synthetic.objects import IDEAS
from evaluation.synthetic.render import draw
from evaluation.synthetic.write import Options, write_scene


def main(parser: argparse.ArgumentParser, argv: list[str]) -> int:
    """Write `--count` scenes, one folder each, numbered by seed."""
    parser.add_argument("out", type=Path)
    parser.add_argument("--count", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0, help="of the first scene; the next ones count up")
    parser.add_argument("--size", type=int, default=768, help="shorter side of the photo, pixels")
    parser.add_argument("--kinds", nargs="*", choices=sorted(IDEAS), help="one after the other instead of by seed")
    parser.add_argument("--samples", type=int, default=10, help="paths a pixel before denoising")
    parser.add_argument("--faces", type=int, default=10_000, help="triangles of the exact mesh, at most")
    parser.add_argument("--quality", type=int, default=90, help="JPEG quality")
    parser.add_argument("--depth-levels", type=int, default=384, help="steps of the simulated depth")
    parser.add_argument("--depth-bits", type=int, default=10, help="mantissa bits of the exact depth; 10 are all")
    args = parser.parse_args(argv)
    for k in range(args.count):
        began = time.monotonic()
        scene = compose(args.seed + k, args.size, args.kinds[k % len(args.kinds)] if args.kinds else None)
        drawing = draw(scene.stage, args.samples, seed=scene.seed)
        options = Options(args.faces, args.quality, args.depth_levels, args.depth_bits)
        write_scene(scene, drawing, args.out / scene.name, options)
        print(
            f"{scene.name}: {100.0 * float(drawing.coverage.mean()):.1f} % subject, {time.monotonic() - began:.1f} s",
            flush=True,
        )
    return 0
