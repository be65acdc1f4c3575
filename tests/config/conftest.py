from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

import pytest

from smarthost.config import Config, ConfigError, load_config


class Load(Protocol):
    def __call__(
        self,
        environ: Mapping[str, str] | None = None,
        *,
        toml: str | None = None,
        machine_name: Callable[[], str] = ...,
        stderr_is_terminal: bool = ...,
    ) -> Config: ...


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Load a configuration whose working directory is the test's own."""

    def _load(
        environ: Mapping[str, str] | None = None,
        *,
        toml: str | None = None,
        machine_name: Callable[[], str] = lambda: "mail.example.com",
        stderr_is_terminal: bool = False,
    ) -> Config:
        if toml is not None:
            (tmp_path / "smarthost.toml").write_text(toml)
        return load_config(
            environ or {},
            working_directory=tmp_path,
            machine_name=machine_name,
            stderr_is_terminal=stderr_is_terminal,
        )

    return _load


@pytest.fixture
def faults(load: Load) -> Callable[..., list[str]]:
    """Load a configuration that has faults, and give one line for each."""

    def _faults(environ: Mapping[str, str] | None = None, *, toml: str | None = None) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            load(environ, toml=toml)
        lines = str(caught.value).split("\n")
        assert lines == [str(fault) for fault in caught.value.faults]
        return lines

    return _faults
