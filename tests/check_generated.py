"""Exit 1 when gen/ is not what `make protos` makes of protos/."""

from __future__ import annotations

import filecmp
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Generate into a scratch folder and compare file by file."""
    protos = sorted(str(path.relative_to(ROOT / "protos")) for path in (ROOT / "protos").rglob("*.proto"))
    plugin = Path(sys.executable).parent / "protoc-gen-mypy_grpc"
    with tempfile.TemporaryDirectory() as folder:
        outputs = [f"--{kind}_out={folder}" for kind in ("python", "grpc_python", "pyi")]
        command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{ROOT / 'protos'}", *outputs]
        mypy = [f"--plugin=protoc-gen-mypy_grpc={plugin}", f"--mypy_grpc_out=quiet:{folder}"]
        subprocess.run([*command, *mypy, *protos], check=True)
        fresh = sorted(path.relative_to(folder) for path in Path(folder).rglob("*.py*"))
        stale = [path for path in fresh if not _same(Path(folder) / path, ROOT / "gen" / path)]
        known = {*fresh, Path("unflat/__init__.py"), Path("unflat/v1/__init__.py")}
        extra = [p for p in (ROOT / "gen").rglob("*.py*") if p.relative_to(ROOT / "gen") not in known]
    for path in stale:
        print(f"gen/{path} is not what protos/ say; run `make protos`")
    left = [path for path in extra if "__pycache__" not in path.parts and path.name != "py.typed"]
    for path in left:
        print(f"{path.relative_to(ROOT)} comes from no proto; remove it")
    return 1 if stale or left else 0


def _same(a: Path, b: Path) -> bool:
    return b.exists() and filecmp.cmp(a, b, shallow=False)


if __name__ == "__main__":
    sys.exit(main())
