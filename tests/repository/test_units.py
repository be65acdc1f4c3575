"""The systemd units: whole, installed together, shut well, and their scripts do as they say."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from smarthost.cli.exit_codes import ExitCode
from tests.repository.handed_out import DEPLOY, text_of

UNITS = DEPLOY / "systemd"
BACKUP = UNITS / "backup"
_STAND_IN = """#!/bin/sh
[ "$1 $2" = "database backup" ] && [ ! -e "$3" ] || exit 4
[ -z "$FAILING" ] || exit 5
echo saved >"$3"
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What deploy/systemd/install lays out, and empty programs where a unit starts others."""
    below = tmp_path_factory.mktemp("root")
    install = UNITS / "install"
    subprocess.run([install], env={"DESTDIR": str(below), "PATH": "/usr/bin:/bin"}, check=True)
    for program in ("opt/smarthost/current/bin/smarthost", "bin/kill"):
        (below / program).parent.mkdir(parents=True, exist_ok=True)
        (below / program).touch(mode=0o755)
    return below


def test_everything_is_installed_but_what_is_put_in_place_by_hand(installed: Path) -> None:
    there = {path.read_bytes() for path in installed.rglob("*") if path.is_file()}
    left = {path.name for path in UNITS.iterdir() if path.read_bytes() not in there}
    assert left == {"install", "low-ports.conf"}


def test_settings_that_are_there_are_left_alone(installed: Path) -> None:
    settings = installed / "etc" / "smarthost" / "smarthost.toml"
    settings.write_text('ntlm = "off"\n')
    install = UNITS / "install"
    subprocess.run([install], env={"DESTDIR": str(installed), "PATH": "/usr/bin:/bin"}, check=True)
    assert settings.read_text() == 'ntlm = "off"\n'


@pytest.mark.needs("systemd-analyze")
def test_systemd_finds_no_fault_in_the_units(installed: Path, tmp_path: Path) -> None:
    units = sorted((installed / "etc" / "systemd" / "system").iterdir())
    assert len(units) == 3
    for unit in units:
        # Programs are looked for on this machine, whatever root is given.
        text = re.sub(r"=(/opt|/usr/local)/", rf"={installed}\1/", unit.read_text())
        (tmp_path / unit.name).write_text(text)
    dropped = tmp_path / "smarthost.service.d"
    dropped.mkdir()
    shutil.copy(UNITS / "low-ports.conf", dropped)
    found = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *(str(tmp_path / unit.name) for unit in units)],
        capture_output=True,
        text=True,
        timeout=60,
        env={"PATH": "/usr/bin:/bin", "SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
        check=False,
    )
    ours = [line for line in found.stderr.splitlines() if "smarthost" in line]
    assert ours == []


@pytest.mark.needs("systemd-analyze")
@pytest.mark.parametrize(
    ("unit", "most"), [("smarthost.service", 12), ("smarthost-backup.service", 4)]
)
def test_systemd_calls_the_units_well_shut(unit: str, most: int) -> None:
    """`most` is in tenths, of the ten that stand for no protection at all."""
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", f"--threshold={most}", UNITS / unit],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_service_is_not_started_anew_for_what_a_person_has_to_mend() -> None:
    unit = text_of(UNITS / "smarthost.service")
    codes = {ExitCode.USAGE, ExitCode.CONFIGURATION, ExitCode.CONFLICT}
    listed = re.search(r"^RestartPreventExitStatus=(.*)$", unit, re.MULTILINE)
    assert listed
    assert {int(code) for code in listed[1].split()} == codes


def back_up(folder: Path, count: int, *, failing: bool = False) -> int:
    programs = folder.parent / "bin"
    programs.mkdir(exist_ok=True)
    program = programs / "smarthost"
    program.write_text(_STAND_IN)
    program.chmod(0o755)
    path = f"{programs}:/usr/bin:/bin"
    done = subprocess.run(
        [BACKUP, folder, str(count)],
        env={"PATH": path, "FAILING": "yes" if failing else ""},
        timeout=30,
        check=False,
    )
    return done.returncode


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    folder = tmp_path / "backups"
    folder.mkdir()
    for day in range(10, 15):
        (folder / f"smarthost-202601{day}T031500Z.db").touch()
    (folder / "mine.db").touch()
    return folder


def test_a_backup_is_named_by_its_moment_and_the_oldest_go(saved: Path) -> None:
    assert back_up(saved, 3) == 0
    first, *others = sorted(path.name for path in saved.iterdir())
    assert first == "mine.db"
    assert others[:2] == ["smarthost-20260113T031500Z.db", "smarthost-20260114T031500Z.db"]
    assert re.fullmatch(r"smarthost-\d{8}T\d{6}Z\.db", others[2])
    assert (saved / others[2]).read_text() == "saved\n"
    assert len(others) == 3


def test_a_backup_that_fails_removes_none_and_says_so(saved: Path) -> None:
    before = sorted(saved.iterdir())
    assert back_up(saved, 3, failing=True) == 5
    assert sorted(saved.iterdir()) == before


def test_an_environment_that_is_there_is_not_touched(tmp_path: Path) -> None:
    made = subprocess.run(
        [DEPLOY / "venv", tmp_path],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert made.returncode == 4
    assert made.stderr == f"{tmp_path} is there already. Name a new folder, or remove it.\n"
    assert tmp_path.is_dir()
