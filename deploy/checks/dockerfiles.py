"""What can be known of an image without building it: its Dockerfile, parsed and held against the repository."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_COMPILERS = re.compile(r"\b(gcc|g\+\+|clang|build-essential|make|cmake|cargo)\b")
_WEIGHTS = re.compile(r"\.(onnx|pt|pth|ckpt|safetensors|bin)\b")
_VARIABLE = re.compile(r"\$\{?(\w+)\}?")


@dataclass(frozen=True)
class Instruction:
    """One instruction, its continuation lines joined."""

    keyword: str
    arguments: str
    line: int


@dataclass(frozen=True)
class Image:
    """What a Dockerfile says of the image it makes.

    Attributes:
        stages: the instructions of each build stage, FROM first.
        arguments: ARG names and their defaults.
        environment: ENV of the final stage.
        ports: EXPOSE of the final stage.
    """

    path: Path
    stages: tuple[tuple[Instruction, ...], ...]
    arguments: Mapping[str, str]
    environment: Mapping[str, str]
    ports: frozenset[int]

    def last(self, keyword: str) -> str:
        """Return the arguments of the final stage's last `keyword`, or ""."""
        return next((i.arguments for i in reversed(self.stages[-1]) if i.keyword == keyword), "")


def parse(text: str) -> list[Instruction]:
    """Return the instructions of a Dockerfile's text, comments dropped."""
    found: list[Instruction] = []
    held, begin = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        begin = begin if held else number
        held += line.strip()
        if held.endswith("\\"):
            held = held[:-1].rstrip() + " "
            continue
        keyword, _, arguments = held.partition(" ")
        found.append(Instruction(keyword.upper(), arguments.strip(), begin))
        held = ""
    return found


def read_image(path: Path) -> Image:
    """Parse the Dockerfile at `path`."""
    stages: list[list[Instruction]] = []
    arguments: dict[str, str] = {}
    for instruction in parse(path.read_text(encoding="utf-8")):
        if instruction.keyword == "ARG":
            name, _, default = instruction.arguments.partition("=")
            arguments.setdefault(name, default)
        if instruction.keyword == "FROM":
            stages.append([])
        if stages:
            stages[-1].append(instruction)
    final = stages[-1]
    environment = dict(
        pair.split("=", 1) for i in final if i.keyword == "ENV" for pair in i.arguments.split() if "=" in pair
    )
    ports = frozenset(int(port) for i in final if i.keyword == "EXPOSE" for port in i.arguments.split())
    return Image(path, tuple(map(tuple, stages)), arguments, environment, ports)


def copy_sources(image: Image) -> list[tuple[int, str]]:
    """Return line and path of everything copied from the context, build arguments at their defaults."""
    found = []
    for stage in image.stages:
        for instruction in stage:
            words = instruction.arguments.split()
            if instruction.keyword not in {"COPY", "ADD"} or any(word.startswith("--from=") for word in words):
                continue
            sources = [word for word in words if not word.startswith("--")][:-1]
            found += [(instruction.line, _expand(source, image.arguments)) for source in sources]
    return found


def is_let_through(source: str, ignore_file: str) -> bool:
    """Tell whether a .dockerignore of the form "everything but" lets `source` through."""
    allowed = [line[1:].strip("/") for line in ignore_file.splitlines() if line.startswith("!")]
    return any(source == name or source.startswith(f"{name}/") for name in allowed)


def problems(image: Image, root: Path) -> Iterator[str]:
    """Yield one sentence for each thing that is not as every image of the project must be."""
    yield from (f"{image.path.name}: {problem}" for problem in _problems(image, root))


def _problems(image: Image, root: Path) -> Iterator[str]:
    ignore_file = (root / ".dockerignore").read_text(encoding="utf-8")
    for line, source in copy_sources(image):
        if not any(root.glob(source)):
            yield f"line {line} copies {source}, which does not exist"
        elif not is_let_through(source, ignore_file):
            yield f"line {line} copies {source}, which .dockerignore keeps out"
        if _WEIGHTS.search(source):
            yield f"line {line} copies weights ({source})"
    if len(image.stages) < 2:
        yield "has one stage; wanted a build stage and a final one"
    yield from _install_problems(image)
    yield from _final_stage_problems(image, root)


def _install_problems(image: Image) -> Iterator[str]:
    for instruction in (i for stage in image.stages for i in stage if i.keyword == "RUN"):
        for command in re.split(r"&&|;", instruction.arguments):
            if re.search(r"pip\b.*\binstall\b", command) and not {"--require-hashes", "--no-deps"} & set(
                command.split()
            ):
                yield f"line {instruction.line} installs without hashes: {command.strip()}"


def _final_stage_problems(image: Image, root: Path) -> Iterator[str]:
    if image.last("FROM") == "scratch":  # files alone, for others to mount: nothing in it can run
        return
    for instruction in image.stages[-1]:
        if instruction.keyword == "RUN" and (
            _COMPILERS.search(instruction.arguments) or "install -y" in instruction.arguments
        ):
            yield f"line {instruction.line} installs tools into the final stage"
    user = image.last("USER").split(":")[0]
    if not user.isdigit() or int(user) == 0:
        yield f"runs as {user or 'root'}; wanted a number other than 0, so that the kubelet can check it"
    if image.last("STOPSIGNAL") != "SIGTERM":
        yield "does not say STOPSIGNAL SIGTERM"
    try:
        program = json.loads(image.last("ENTRYPOINT"))[0]
    except ValueError:
        yield "has no ENTRYPOINT in its exec form: a shell would swallow SIGTERM"
        return
    with (root / "pyproject.toml").open("rb") as file:
        scripts = tomllib.load(file)["project"]["scripts"]
    if program not in scripts:
        yield f"starts {program}, which is no console script of pyproject.toml"


def _expand(text: str, arguments: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda match: arguments.get(match.group(1), match.group(0)), text)
