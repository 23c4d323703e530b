"""Ports that nobody listens on, for processes that must be told one."""

from __future__ import annotations

import contextlib
import socket


def free_ports(count: int, host: str = "127.0.0.1") -> list[int]:
    """Return `count` different ports that are free on `host` now ("0.0.0.0": on every address).

    Nothing holds them: a service whose port is taken in the meantime exits with an error message.
    """
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind((host, 0))
        return [int(one.getsockname()[1]) for one in sockets]


def free_port() -> int:
    """Return one port that is free on loopback now."""
    return free_ports(1)[0]
