"""The official checkpoint once more as safetensors, which load by mapping the file; in bfloat16 half as large.

    python -m services.mesher.triposr.convert FOLDER [float32|bfloat16]

In bfloat16 only those tensors are rounded that the network would round on loading: the matrices of image tokenizer and
backbone. What is written is read again and compared before it counts.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from services.common.errors import StageUnavailable, UnflatError
from services.mesher.triposr import checkpoint
from services.mesher.triposr.config import read_config
from services.mesher.triposr.model import DTYPES, Precision, TripoSR


def convert(folder: Path, precision: Precision = "float32") -> Path:
    """Write the converted form beside model.ckpt, without the pooler, and return its path.

    Raises:
        StageUnavailable: the files are not TripoSR's, safetensors is missing, or what was written reads differently.
    """
    try:
        from safetensors.torch import load_file, save_file
    except ImportError:
        raise StageUnavailable("the converted form needs safetensors; `make torch` brings it") from None
    state = checkpoint.read_official(folder)
    rounded = _matrices(folder, state) if precision != "float32" else set()
    kept = {name: value.to(DTYPES[precision]) if name in rounded else value for name, value in state.items()}
    target = folder / checkpoint.converted_name(precision)
    aside = target.with_name(target.name + ".part")
    save_file({name: value.contiguous() for name, value in kept.items()}, aside)
    written = load_file(aside)
    if written.keys() != kept.keys() or not all(torch.equal(written[name], kept[name]) for name in kept):
        aside.unlink()
        raise StageUnavailable(f"{target} was not written as it should be; is the disk full or broken?")
    aside.replace(target)
    return target


def _matrices(folder: Path, state: checkpoint.State) -> set[str]:
    """Return the tensors that the network holds in 16 bits."""
    config = read_config(folder / checkpoint.CONFIG)
    with torch.device("meta"):
        network = TripoSR(config, checkpoint.vit_sizes(state, config))
    return {f"{name}.{kind}" for name, module in network.sixteen_bit_modules() for kind, _ in module.named_parameters()}


def main() -> int:
    """Convert one folder."""
    precision: Precision = "bfloat16" if sys.argv[2:] == ["bfloat16"] else "float32"
    try:
        path = convert(Path(sys.argv[1]), precision)
    except UnflatError as problem:
        sys.stderr.write(f"{problem.message}\n")
        return 1
    sys.stdout.write(f"{path.name}: {path.stat().st_size / 1e6:,.0f} MB, read again and equal\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
