"""Time `rembg.remove` on pictures.

Reads one JSON object from the standard input, {"photos": [paths], "models": folder with isnet-general-use.onnx,
"runs": n, "options": {…}, "answers": folder}, and writes one as the last line of the standard output.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image


def main() -> None:
    """Answer with the seconds of each run by photo; the last cutout of each is written to `answers`."""
    wanted = json.load(sys.stdin)
    os.environ["U2NET_HOME"] = wanted["models"]
    import rembg

    session = rembg.new_session("isnet-general-use")
    seconds: dict[str, list[float]] = {}
    whole: dict[str, list[float]] = {}
    for path in wanted["photos"]:
        data = Path(path).read_bytes()
        photo = Image.open(path).convert("RGB")
        photo.load()
        rembg.remove(photo.copy(), session=session, **wanted["options"])
        for _ in range(wanted["runs"]):
            picture = photo.copy()
            begin = time.perf_counter()
            cutout = rembg.remove(picture, session=session, **wanted["options"])
            seconds.setdefault(path, []).append(time.perf_counter() - begin)
            begin = time.perf_counter()
            rembg.remove(data, session=session, **wanted["options"])
            whole.setdefault(path, []).append(time.perf_counter() - begin)
        np.save(Path(wanted["answers"]) / f"{Path(path).stem}.npy", np.asarray(cutout))
    json.dump({"pixels": seconds, "bytes": whole}, sys.stdout)


if __name__ == "__main__":
    main()
