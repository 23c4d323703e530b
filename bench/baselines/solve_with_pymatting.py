"""Time pymatting's closed-form alpha.

Reads one JSON object from the standard input, {"items": [NPZ files with `photo` (H, W, 3) and `trimap` (H, W), float64
in [0, 1]], "answers": folder}, and writes one as the last line of the standard output.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
from pymatting import estimate_alpha_cf


def main() -> None:
    """Answer with wall and CPU seconds by item; each alpha is written to `answers`."""
    wanted = json.load(sys.stdin)
    with np.load(wanted["items"][0]) as first:
        estimate_alpha_cf(first["photo"][:64, :64], _any_trimap(64))  # numba compiles at the first call
    answer = {}
    for path in wanted["items"]:
        with np.load(path) as item:
            photo, trimap = item["photo"], item["trimap"]
        begin, begin_cpu = time.perf_counter(), time.process_time()
        alpha = estimate_alpha_cf(photo, trimap)
        answer[path] = {"wall": time.perf_counter() - begin, "cpu": time.process_time() - begin_cpu}
        np.save(Path(wanted["answers"]) / f"{Path(path).stem}.npy", alpha)
    json.dump(answer, sys.stdout)


def _any_trimap(side: int) -> np.ndarray:
    trimap = np.zeros((side, side))
    trimap[:, side // 2 :] = 1.0
    trimap[:, side // 2 - 4 : side // 2 + 4] = 0.5
    return trimap


if __name__ == "__main__":
    main()
