"""The program on an empty folder, on an installation, and on one that no test changes."""

from pathlib import Path

import pytest

from tests.cli.program import Program


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(folder=tmp_path)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Program:
    """An installation that nobody opens."""
    program = Program(folder=tmp_path_factory.mktemp("template"))
    program.init()
    return program


@pytest.fixture
def installed(program: Program, template: Program) -> Program:
    program.copy(template)
    return program


@pytest.fixture(scope="session")
def untouched(tmp_path_factory: pytest.TempPathFactory, template: Program) -> Program:
    program = Program(folder=tmp_path_factory.mktemp("untouched"))
    program.copy(template)
    return program
