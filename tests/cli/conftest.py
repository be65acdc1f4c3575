"""The program on an empty folder, and on an installation that others only read."""

from pathlib import Path

import pytest

from tests.cli.program import Program


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(folder=tmp_path)


@pytest.fixture
def installed(program: Program) -> Program:
    program.init()
    return program
