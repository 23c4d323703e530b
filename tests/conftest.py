"""For all tests: marks for what they need, and the fast tier, in which no process starts and nothing sleeps."""

from __future__ import annotations

import multiprocessing.process
import subprocess
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, NoReturn

import pytest

from tests.needs import NEEDS, PREFIX

SLOW_MARKS = ("slow", "e2e", "fault", *(PREFIX + name for name in NEEDS))
SLOW_FIXTURES = {"kubectl"}
"""Whoever has none of these marks and takes none of these fixtures is of the fast tier."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fast", action="store_true", help="no process, no sleep, nothing beyond make install")


def pytest_configure(config: pytest.Config) -> None:
    for name, need in NEEDS.items():
        config.addinivalue_line("markers", f"{PREFIX}{name}: {need.reason}")


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses by mark
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for name, need in NEEDS.items():
        needy = [item for item in items if item.get_closest_marker(PREFIX + name) or _takes(item, need.fixtures)]
        is_met = not needy or need.is_met()
        for item in needy:
            item.add_marker(PREFIX + name)
            if not is_met:
                item.add_marker(pytest.mark.skip(reason=need.reason), append=False)
    if config.getoption("fast"):
        slow = {item for item in items if any(map(item.get_closest_marker, SLOW_MARKS)) or _takes(item, SLOW_FIXTURES)}
        config.hook.pytest_deselected(items=list(slow))
        items[:] = [item for item in items if item not in slow]


def _takes(item: pytest.Item, fixtures: Iterable[str]) -> bool:
    return not set(fixtures).isdisjoint(getattr(item, "fixturenames", ()))


@pytest.fixture(autouse=True, scope="session")
def _fast_tier_is_kept(request: pytest.FixtureRequest) -> Iterator[None]:
    """In the fast tier, fail whoever starts a process or sleeps."""
    if not request.config.getoption("fast"):
        yield
        return

    def refuse(*_args: Any, **_more: Any) -> NoReturn:
        pytest.fail("a test that starts a process or sleeps is not of the fast tier: mark it slow")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subprocess.Popen, "__init__", refuse)
        patch.setattr(multiprocessing.process.BaseProcess, "start", refuse)
        patch.setattr(time, "sleep", refuse)
        yield


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say in one line a reason how many were skipped for it."""
    skipped = terminalreporter.stats.get("skipped", ())
    reasons = Counter(report.longrepr[2].removeprefix("Skipped: ") for report in skipped)
    for reason, count in reasons.most_common():
        terminalreporter.write_line(f"skipped {count:4}: {reason}")
