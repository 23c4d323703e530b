"""Variables of the environment, UNFLAT_…: which setting of which service each sets, and those that set none."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator
from difflib import get_close_matches

from services.common.settings import PREFIX, ProcessSettings

SERVICES = ("segmentation", "depth", "mesher", "orchestrator", "gateway")

_OF_TESTS = f"{PREFIX}TEST_"


def env_prefix(service: str) -> str:
    """Return the prefix of one service's own variables, e.g. UNFLAT_DEPTH_."""
    return f"{PREFIX}{service.upper()}_"


def settings_class(service: str) -> type[ProcessSettings]:
    """Return the settings class of a service, e.g. DepthSettings of `services.depth.settings`.

    Found by name, since nothing here may import a service; each settings module loads with any one service's libraries.
    """
    module = importlib.import_module(f"services.{service}.settings")
    found: type[ProcessSettings] = getattr(module, f"{service.capitalize()}Settings")
    return found


def field_of(variable: str, service: str) -> str | None:
    """Return the field that an environment variable sets in `service`, or None if it sets none."""
    for prefix in (env_prefix(service), PREFIX):
        name = variable.removeprefix(prefix)
        if variable.startswith(prefix) and name.lower() in settings_class(service).model_fields:
            return name.lower()
    return None


def unknown_variables(environment: Iterable[str], service: str | None = None) -> Iterator[str]:
    """Yield a sentence for each variable UNFLAT_… that sets nothing anywhere, with those that are near.

    Args:
        environment: names of variables.
        service: who asks: what has another service's prefix is that one's to complain of. None: all services.
    """
    others = tuple(env_prefix(other) for other in SERVICES if service not in (None, other))
    for variable in sorted(environment):
        if not variable.startswith(PREFIX) or variable.startswith((_OF_TESTS, *others)):
            continue
        if not any(field_of(variable, each) for each in (service, *SERVICES) if each):
            near = ", ".join(get_close_matches(variable, _variables(), n=3, cutoff=0.75))
            yield f"{variable} in the environment sets nothing{near and f'; near: {near}'}"


def _variables() -> set[str]:
    return {
        f"{prefix}{field.upper()}"
        for service in SERVICES
        for field in settings_class(service).model_fields
        for prefix in (PREFIX, env_prefix(service))
    }
