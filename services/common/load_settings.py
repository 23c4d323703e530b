"""Settings of a process: flag > environment (`UNFLAT_…`) > default, one typed object a service.

A bad value is named at start, before anything listens; a variable that sets nothing is told.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TypeVar

from pydantic import ValidationError
from pydantic_settings import BaseSettings, CliSettingsSource, PydanticBaseSettingsSource, SettingsError

from services.common.environment import env_prefix, unknown_variables
from services.common.settings import PREFIX

S = TypeVar("S", bound=BaseSettings)


def load_settings(kind: type[S], service: str, arguments: Sequence[str] | None = None) -> S:
    """Read the settings of `service`; a bad value ends the process with its name and what was wanted.

    `UNFLAT_<SERVICE>_X` goes before the common `UNFLAT_X`, so that one environment can serve all processes.

    Args:
        kind: the settings class.
        service: one of SERVICES.
        arguments: command line without the program's name; the process's own when None.
    """

    class Loaded(kind):  # type: ignore[misc, valid-type]
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            del dotenv_settings, file_secret_settings
            flags: CliSettingsSource[BaseSettings] = CliSettingsSource(
                settings_cls, cli_parse_args=list(sys.argv[1:] if arguments is None else arguments)
            )
            own = type(env_settings)(settings_cls, env_prefix=env_prefix(service))  # type: ignore[call-arg]
            return flags, init_settings, own, env_settings

    Loaded.__name__, Loaded.__doc__ = f"unflat-{service}", kind.__doc__
    try:
        loaded: S = Loaded()
    except ValidationError as problem:
        for error in problem.errors():
            name = ".".join(str(part) for part in error["loc"])
            if not name:  # settings that do not go together
                sys.stderr.write(f"unflat-{service}: {error['msg'].removeprefix('Value error, ')}\n")
                continue
            sys.stderr.write(
                f"unflat-{service}: setting {name} (--{name.replace('_', '-')}, {env_prefix(service)}{name.upper()} or "
                f"{PREFIX}{name.upper()}) is {error['input']!r}: {error['msg']}\n"
            )
        raise SystemExit(2) from None
    except SettingsError as problem:
        sys.stderr.write(f"unflat-{service}: {problem}\n")
        raise SystemExit(2) from None
    for sentence in unknown_variables(os.environ, service):
        sys.stderr.write(f"unflat-{service}: {sentence}\n")
    return loaded
