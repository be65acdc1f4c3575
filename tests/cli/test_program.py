"""The program as a whole: its help, its documentation, its start."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from smarthost import __version__
from smarthost.cli.exit_codes import MEANINGS
from smarthost.cli.program import COMMANDS, GROUPS
from tests.cli.program import Program

NAMES = [name for name, *_ in COMMANDS] + [
    f"{group} {name}" for group, _, commands in GROUPS for name, *_ in commands
]
PAGE = (Path(__file__).parents[2] / "docs" / "commands.md").read_text(encoding="utf-8")
HEAVY = {
    *("apsw", "argon2", "asyncpg", "cryptography", "falcon", "rich", "structlog"),
    *("uvicorn", "uvloop"),
}


def test_the_version_is_told(program: Program) -> None:
    assert program("--version").out == f"smarthost {__version__}\n"


def test_help_names_every_command_and_group(program: Program) -> None:
    told = program("--help").out
    for name, *_ in (*COMMANDS, *GROUPS):
        if " " in name:
            continue  # within another group
        assert re.search(rf"^  {name} ", told, re.MULTILINE), name


def test_help_of_a_command_ends_in_examples_as_they_are_typed(program: Program) -> None:
    told = program("key", "create", "--help").out
    assert told.rstrip().splitlines()[-1].startswith("    smarthost key create --name shop ")


def test_nothing_heavy_is_loaded_for_help() -> None:
    script = (
        "import sys; from smarthost.cli.program import make_program; import typer.main\n"
        "typer.main.get_command(make_program())\n"
        f"print({HEAVY!r} & set(sys.modules))"
    )
    told = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=True
    )
    assert told.stdout == "set()\n"


# Ctrl-C at the very moment in which a module begins to load.
_CTRL_C_WHILE_LOADING = """
import os, signal, sys

class CtrlC:
    def find_spec(self, name, path, target=None):
        if name == "typer":
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, CtrlC())
sys.argv = ["smarthost", "--version"]
from smarthost.__main__ import main
main()
"""


def test_ctrl_c_while_the_program_loads_ends_it_quietly() -> None:
    ended = _in_a_process(_CTRL_C_WHILE_LOADING)

    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "")


def test_a_program_that_was_told_to_ignore_ctrl_c_still_does() -> None:
    ignoring = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)"

    ended = _in_a_process(ignoring + _CTRL_C_WHILE_LOADING)

    assert (ended.returncode, ended.stdout) == (0, f"smarthost {__version__}\n")


def _in_a_process(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=False
    )


def test_the_shell_is_offered_commands(program: Program) -> None:
    ended = program(_SMARTHOST_COMPLETE="complete_bash", COMP_WORDS="smarthost k", COMP_CWORD="1")
    assert ended.out.split() == ["key", "keyring"]


@pytest.mark.parametrize("name", NAMES)
def test_every_command_is_documented_with_an_example(name: str) -> None:
    section = PAGE.partition(f"### `smarthost {name}`\n")[2].partition("\n#")[0]
    assert f"\nsmarthost {name}" in section


def test_no_other_command_is_documented() -> None:
    assert sorted(re.findall(r"^### `smarthost (.*)`$", PAGE, re.MULTILINE)) == sorted(NAMES)


def test_every_exit_code_is_documented() -> None:
    for code, meaning in MEANINGS.items():
        assert f"| {code.value} | {meaning} |" in PAGE
