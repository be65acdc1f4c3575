"""Folders that another user has closed: who works beside the service's user meets them first."""

from pathlib import Path

import pytest

from tests.cli.program import ADMIN, Program

COMMANDS: dict[str, tuple[tuple[str, ...], int]] = {
    "init": (("init", "--admin-email", ADMIN), 5),
    "serve": (("serve",), 5),
    "settings show": (("settings", "show"), 5),
}


@pytest.mark.needs("setpriv")
@pytest.mark.parametrize(("arguments", "code"), COMMANDS.values(), ids=COMMANDS)
def test_a_data_directory_that_may_not_be_entered_is_told(
    program: Program, arguments: tuple[str, ...], code: int
) -> None:
    program.init()
    program.data_dir.chmod(0o000)
    ended = program.unprivileged(*arguments, SMARTHOST_ADMIN_EMAIL=ADMIN)
    program.data_dir.chmod(0o700)
    ended.assert_one_line(code, f"The data directory {program.data_dir} cannot be used")


@pytest.mark.needs("setpriv")
def test_a_data_directory_behind_a_closed_folder_is_told(program: Program) -> None:
    closed = _closed(program.folder)
    environ = {"SMARTHOST_DATA_DIR": str(closed / "data"), "SMARTHOST_ADMIN_EMAIL": ADMIN}
    ended = program.unprivileged("serve", **environ)
    ended.assert_one_line(5, str(closed / "data"))


@pytest.mark.needs("setpriv")
def test_a_key_ring_in_a_closed_folder_is_told(program: Program) -> None:
    ring = _closed(program.folder) / "keyring.json"
    environ = {"SMARTHOST_KEYRING_FILE": str(ring), "SMARTHOST_ADMIN_EMAIL": ADMIN}
    new = program.unprivileged("init", **environ)
    new.assert_one_line(3, f"{ring} cannot be written")


@pytest.mark.needs("setpriv")
@pytest.mark.parametrize("closed", ["data", "."])
def test_the_doctor_names_a_folder_that_may_not_be_entered(program: Program, closed: str) -> None:
    program.init()
    folder = program.folder / closed
    folder.chmod(0o000)
    outside = str(program.folder.parent)
    ended = program.unprivileged("doctor", cwd=outside)
    folder.chmod(0o700)
    assert ended.code == 1, ended.err
    assert ended.err == ""
    wrong = [line for line in ended.out.splitlines() if line.startswith("WRONG")]
    assert len(wrong) == 2, ended.out
    assert f"{program.data_dir} cannot be entered" in wrong[0]
    assert "smarthost.db is out of reach" in wrong[1]


def _closed(folder: Path) -> Path:
    closed = folder / "closed"
    closed.mkdir(mode=0o000)
    return closed
