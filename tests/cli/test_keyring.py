"""`keyring rotate`, as an operator types it."""

import json
from typing import Any

from tests.cli.program import Program
from tests.cli.test_doctor import execute, wrong
from tests.processes import start_python
from tests.smtp_settings.test_key_ring_file import HOLD

SAVE = ("settings", "save", "--host", "127.0.0.1", "--port", "9", "--sender-address", "a@b.test")
CANARY = "CANARY-pässword"


def ring(program: Program) -> Any:
    return json.loads((program.data_dir / "keyring.json").read_bytes())


def save(program: Program) -> None:
    saved = program(*SAVE, "--user-name", "u", "--password-stdin", typed=CANARY)
    assert saved.code == 0, saved.err


def test_a_rotation_tells_the_active_key_and_no_secret(installed: Program) -> None:
    save(installed)
    before = ring(installed)
    told = installed("keyring", "rotate", "--json")
    after = ring(installed)
    assert told.json() == {"key": after["active"], "sealed": 1, "unreadable": 0}
    assert after["keys"] == before["keys"] | {after["active"]: after["keys"][after["active"]]}
    words = installed("keyring", "rotate").out
    assert f"The active key is {ring(installed)['active']}. " in words
    for output in (told.out, told.err, words):
        assert CANARY not in output
        assert not any(key in output for key in ring(installed)["keys"].values())
    assert wrong(installed) == {}


def test_a_second_one_at_the_same_time_is_a_conflict(installed: Program) -> None:
    other = start_python(HOLD, installed.data_dir / "keyring.json")
    assert other.stdout is not None
    assert other.stdout.readline() == "held\n"
    before = ring(installed)
    installed("keyring", "rotate").assert_one_line(4, "is being rotated just now")
    other.communicate("\n", timeout=60)
    assert ring(installed) == before
    assert installed("keyring", "rotate").code == 0


def test_a_ring_that_cannot_be_replaced_changes_nothing(installed: Program) -> None:
    save(installed)
    elsewhere = installed.folder / "etc"
    elsewhere.mkdir()
    place = elsewhere / "keyring.json"
    (installed.data_dir / "keyring.json").rename(place)
    given = {"SMARTHOST_KEYRING_FILE": str(place)}
    before = place.read_bytes()
    elsewhere.chmod(0o500)
    refused = installed.unprivileged("keyring", "rotate", **given)
    refused.assert_one_line(3, "Nothing was changed")
    place.chmod(0o000)
    refused = installed.unprivileged("keyring", "rotate", **given)
    refused.assert_one_line(3, "cannot be read")
    place.chmod(0o600)
    assert place.read_bytes() == before
    assert wrong(installed, **given) == {}


def test_secrets_that_do_not_open_are_told(installed: Program) -> None:
    save(installed)
    execute(installed, "UPDATE smtp_settings_revisions SET sealed_password = X'00'")
    told = installed("keyring", "rotate")
    assert told.code == 0
    assert "Secrets that open with no key, left as they are: 1." in told.out


def test_a_ring_of_before_the_rotation_is_not_taken(installed: Program) -> None:
    save(installed)
    path = installed.data_dir / "keyring.json"
    before = path.read_bytes()
    assert installed("keyring", "rotate").code == 0
    path.write_bytes(before)
    installed("keyring", "rotate").assert_one_line(3, "belongs to another installation")
    assert path.read_bytes() == before
