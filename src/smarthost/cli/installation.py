"""Reads the configuration and opens the installation that a command works on.

The commands are the operator's: whoever can read the data directory needs no key. They open the
store themselves, beside a service that may be running.
"""

import asyncio
import gc
import os
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from smarthost.app.parts import Parts
    from smarthost.config import Config

T = TypeVar("T")

Work = Callable[["Config", "Parts"], Coroutine[Any, Any, T]]


def read_config(machine_name: Callable[[], str] = str) -> "Config":
    """Read the configuration from the environment and the working directory.

    `machine_name` is asked for an EHLO name; commands that need none do not wait for the DNS.
    Raises `ConfigError`.
    """
    from smarthost.config import load_config

    # The work begins, and all modules for it are loaded: see __main__.py.
    gc.freeze()
    gc.enable()
    return load_config(
        os.environ,
        working_directory=Path.cwd(),
        machine_name=machine_name,
        stderr_is_terminal=sys.stderr.isatty(),
    )


def run(work: Work[T], *, create: bool = False, machine_name: Callable[[], str] = str) -> T:
    """Open the installation, do `work` on it and close it.

    `machine_name` is for work that speaks to relays, as in `read_config`. Raises what
    `read_config`, `open_parts` and `work` raise.
    """
    from smarthost.app.logs import configure_logs
    from smarthost.app.parts import open_parts

    config = read_config(machine_name)
    configure_logs(config.log_format, "warning")

    async def opened() -> T:
        async with open_parts(config, create=create) as parts:
            return await work(config, parts)

    return asyncio.run(opened())
