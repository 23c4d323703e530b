"""What follows the requests of a process: the protocol, and the tracer that follows nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Literal, Protocol, TypeAlias

Kind = Literal["internal", "server", "client"]
Fact: TypeAlias = str | int | float | bool
Header: TypeAlias = tuple[str, str]


class Place(Protocol):
    """A place in a trace: what spans of other threads and processes hang on; opaque to callers."""


class Tracer(Protocol):
    """What follows requests: `Untraced` here, OpenTelemetry in `services.common.telemetry.otlp`."""

    def span(
        self, name: str, kind: Kind, parent: Place | None, facts: dict[str, Fact]
    ) -> AbstractContextManager[None]: ...

    def describe(self, name: str, failed: bool, facts: dict[str, Fact]) -> None: ...

    def here(self) -> Place | None: ...

    def read(self, headers: Iterable[Header]) -> Place | None: ...

    def headers(self) -> tuple[Header, ...]: ...

    def trace_id(self) -> str: ...

    def stop(self) -> None: ...


class Untraced:
    """Follows nothing."""

    @contextmanager
    def span(self, name: str, kind: Kind, parent: Place | None, facts: dict[str, Fact]) -> Iterator[None]:
        del name, kind, parent, facts
        yield

    def describe(self, name: str, failed: bool, facts: dict[str, Fact]) -> None:
        pass

    def here(self) -> Place | None:
        return None

    def read(self, headers: Iterable[Header]) -> Place | None:
        del headers
        return None

    def headers(self) -> tuple[Header, ...]:
        return ()

    def trace_id(self) -> str:
        return ""

    def stop(self) -> None:
        pass
