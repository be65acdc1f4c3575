"""The program on a folder of its own, with an empty home."""

from pathlib import Path

import pytest

from tests.cli.program import Program


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(folder=tmp_path)


@pytest.fixture
def key(program: Program) -> str:
    """The first key of an installation that `program` has made."""
    return program.init()
