"""The program on a folder of its own, with an empty home."""

from pathlib import Path

import pytest

from tests.cli.program import Program


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(folder=tmp_path)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Program, str]:
    """An installation that nobody opens, and its first key."""
    program = Program(folder=tmp_path_factory.mktemp("template"))
    return program, program.init()


@pytest.fixture
def key(program: Program, template: tuple[Program, str]) -> str:
    """The first key of an installation that `program` has."""
    installed, key = template
    program.copy(installed)
    return key
