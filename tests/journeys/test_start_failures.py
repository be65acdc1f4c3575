"""A start that cannot be: what stops it is one clear line, an exit code, and no traceback."""

import contextlib
import json
import os
import secrets
import socket
from base64 import b64encode
from collections.abc import Callable

import apsw
import pytest

from tests.cli.program import ADMIN, Program
from tests.contract.bodies import LOGIN, PASSWORD

Spoil = Callable[[Program], dict[str, str]]
"""Does something to a sound installation, and returns what to set in the environment."""


def _ring(program: Program, content: str) -> dict[str, str]:
    (program.data_dir / "keyring.json").write_text(content)
    return {}


def _cut_ring(program: Program) -> dict[str, str]:
    return _ring(program, (program.data_dir / "keyring.json").read_text()[:-20])


def _altered_ring(program: Program) -> dict[str, str]:
    ring = json.loads((program.data_dir / "keyring.json").read_text())
    ring["keys"] = {name: b64encode(secrets.token_bytes(32)).decode() for name in ring["keys"]}
    return _ring(program, json.dumps(ring))


def _missing_ring(program: Program) -> dict[str, str]:
    (program.data_dir / "keyring.json").unlink()
    return {}


def _open_ring(program: Program) -> dict[str, str]:
    (program.data_dir / "keyring.json").chmod(0o644)
    return {}


def _foreign_ring(program: Program) -> dict[str, str]:
    other = Program(folder=program.folder / "other")
    other.folder.mkdir()
    other.init()
    return {"SMARTHOST_KEYRING_FILE": str(other.data_dir / "keyring.json")}


def _newer_schema(program: Program) -> dict[str, str]:
    with contextlib.closing(apsw.Connection(str(program.data_dir / "smarthost.db"))) as store:
        store.execute("INSERT INTO schema_migrations VALUES (9999, 'from_tomorrow', 0)")
    return {}


def _no_database(program: Program) -> dict[str, str]:
    (program.data_dir / "smarthost.db").write_bytes(b"This is a letter. " * 1_000)
    return {}


def _damaged_database(program: Program) -> dict[str, str]:
    with (program.data_dir / "smarthost.db").open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        # The header says that it is a database, and nothing behind it is true.
        file.seek(100)
        file.write(secrets.token_bytes(size - 100))
    return {}


def _second_portal(program: Program) -> dict[str, str]:
    assert program("portal", "create", "acme", SMARTHOST_BASE_DOMAIN="portals.test").code == 0
    return {}


def _folder_for_a_file(program: Program) -> dict[str, str]:
    return {"SMARTHOST_KEYRING_FILE": str(program.data_dir)}


FAILURES: dict[str, tuple[Spoil, int, str]] = {
    "a key ring cut short": (_cut_ring, 3, "is damaged. Restore it"),
    "a key ring with other keys": (_altered_ring, 3, "is damaged. Restore it"),
    "an empty key ring": (lambda program: _ring(program, ""), 3, "is damaged. Restore it"),
    "a missing key ring": (_missing_ring, 3, "is missing. Set SMARTHOST_KEYRING_FILE"),
    "a key ring that others can read": (_open_ring, 3, "chmod 600"),
    "another installation's key ring": (_foreign_ring, 3, "belongs to another installation"),
    "a folder for a key ring": (_folder_for_a_file, 3, "cannot be read"),
    "a database of a newer program": (_newer_schema, 5, "Start the newer Smarthost"),
    "a file that is no database": (_no_database, 5, "Restore it from a back-up"),
    "a damaged database": (_damaged_database, 5, "Restore it from a back-up"),
    "two portals without a domain": (_second_portal, 3, "Set SMARTHOST_BASE_DOMAIN"),
}


@pytest.mark.parametrize(("spoil", "code", "words"), FAILURES.values(), ids=FAILURES)
def test_a_start_that_fails_says_why_in_one_line(
    program: Program, key: str, spoil: Spoil, code: int, words: str
) -> None:
    saved = program(
        *("settings", "save", "--host", LOGIN["host"], "--sender-address", ADMIN),
        *("--user-name", "x", "--password-stdin"),
        typed=PASSWORD,
    )
    assert saved.code == 0
    environ = spoil(program)
    before = _contents(program)

    program("serve", **environ).assert_one_line(code, words)
    assert _contents(program) == before


def test_a_port_in_use_is_told_before_anything_is_made(program: Program) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        listen = f"127.0.0.1:{held.getsockname()[1]}"
        environ = {"SMARTHOST_HTTP_LISTEN": listen, "SMARTHOST_ADMIN_EMAIL": ADMIN}
        ended = program("serve", **environ)
    ended.assert_one_line(3, f"Cannot listen on {listen}: the port is in use.")
    assert not program.data_dir.exists()


def test_all_faults_of_the_environment_are_told_at_once(program: Program) -> None:
    faults = {
        "SMARTHOST_COLOUR": "red",
        "SMARTHOST_LOG_LEVEL": "loud",
        "SMARTHOST_HTTP_LISTEN": "127.0.0.1:99999",
        "SMARTHOST_TRUSTED_NETWORKS": "everybody",
        "SMARTHOST_ADMIN_EMAIL": "nobody",
    }
    ended = program("serve", **faults)
    assert (ended.code, ended.out) == (3, "")
    assert sorted(line.split(":")[1].strip() for line in ended.err.splitlines()) == sorted(faults)
    assert not program.data_dir.exists()


@pytest.mark.needs("setpriv")
def test_a_folder_that_cannot_be_written_is_5(program: Program) -> None:
    program.data_dir.mkdir(mode=0o500)
    ended = program.unprivileged("serve", SMARTHOST_ADMIN_EMAIL=ADMIN)
    ended.assert_one_line(5, f"{program.data_dir}/smarthost.db cannot be opened")
    assert list(program.data_dir.iterdir()) == []


@pytest.mark.needs("setpriv")
def test_a_folder_that_cannot_be_made_is_5(program: Program) -> None:
    program.folder.chmod(0o500)
    ended = program.unprivileged("serve", SMARTHOST_ADMIN_EMAIL=ADMIN)
    program.folder.chmod(0o700)
    ended.assert_one_line(5, f"The data directory {program.data_dir} cannot be made")


@pytest.mark.needs("setpriv")
@pytest.mark.parametrize("name", ["smarthost.db", "keyring.json"])
def test_a_file_that_cannot_be_read_is_told(program: Program, key: str, name: str) -> None:
    (program.data_dir / name).chmod(0o000)
    ended = program.unprivileged("serve")
    ended.assert_one_line(5 if name == "smarthost.db" else 3, name)


def _contents(program: Program) -> dict[str, bytes]:
    """The files of the installation that a failed start must leave as they are."""
    return {
        name: path.read_bytes()
        for name in ("smarthost.db", "keyring.json")
        if (path := program.data_dir / name).exists()
    }
