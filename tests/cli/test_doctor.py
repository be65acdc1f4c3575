"""`doctor` finds what is wrong, says what to do, and changes nothing."""

import socket
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import apsw
import pytest

from tests.authority import Authority
from tests.cli.program import Program
from tests.journeys.served import serving


def findings(program: Program, **environ: str) -> dict[str, Any]:
    ended = program("doctor", "--json", **environ)
    told = ended.json()
    assert ended.code == (0 if all(one["ok"] for one in told) else 1)
    assert all(list(one) == ["check", "ok", "message"] for one in told)
    return {one["check"]: one for one in told}


def wrong(program: Program, **environ: str) -> dict[str, str]:
    told = findings(program, **environ).values()
    return {one["check"]: one["message"] for one in told if not one["ok"]}


def execute(program: Program, sql: str) -> None:
    database = apsw.Connection(str(program.data_dir / "smarthost.db"))
    database.execute(sql)
    database.close()


def test_a_sound_installation_has_only_good_findings(installed: Program) -> None:
    assert list(findings(installed)) == [
        "configuration",
        "data directory",
        "file system",
        "free space",
        "database",
        "key ring",
        "stored passwords",
        "clock",
        "EHLO name",
        "HTTP address",
        "submission address",
    ]
    assert wrong(installed) == {}


def test_nothing_is_made_or_changed(program: Program) -> None:
    assert set(wrong(program)) == {"data directory", "database"}
    assert not program.data_dir.exists()
    program.init()
    before = {path: path.read_bytes() for path in program.data_dir.iterdir()}
    assert wrong(program) == {}
    assert {path: path.read_bytes() for path in program.data_dir.iterdir()} == before


def test_every_fault_of_the_configuration_is_a_finding(program: Program) -> None:
    ended = program("doctor", "--json", SMARTHOST_COLOUR="red", SMARTHOST_LOG_LEVEL="loud")
    assert ended.code == 1
    assert [one["check"] for one in ended.json()] == ["configuration", "configuration"]


def test_without_json_a_table_is_printed(untouched: Program) -> None:
    ended = untouched("doctor", SMARTHOST_HELO_NAME="")
    assert "ok\tdatabase\t" in ended.out


def test_modes_that_let_others_in_are_found(installed: Program) -> None:
    installed.data_dir.chmod(0o777)
    (installed.data_dir / "smarthost.db").chmod(0o644)
    (installed.data_dir / "keyring.json").chmod(0o644)
    told = wrong(installed)
    assert "chmod go-w" in told["data directory"]
    assert "chmod 600" in told["database"]
    (installed.data_dir / "smarthost.db").chmod(0o600)
    assert "chmod 600" in wrong(installed)["key ring"]


def test_a_damaged_database_is_found(installed: Program) -> None:
    with (installed.data_dir / "smarthost.db").open("r+b") as file:
        file.write(b"no database")
    assert "damaged" in wrong(installed)["database"]


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("INSERT INTO schema_migrations VALUES (9999, 'later', 0)", "newer Smarthost"),
        ("DELETE FROM schema_migrations", "`smarthost serve` brings it there"),
        ("DROP TABLE schema_migrations", "has no tables"),
    ],
)
def test_another_schema_version_is_found(installed: Program, sql: str, words: str) -> None:
    execute(installed, sql)
    assert words in wrong(installed)["database"]


def test_a_ring_without_the_keys_of_this_database_is_found(installed: Program) -> None:
    execute(installed, "INSERT INTO sealing_keys VALUES ('0123456789abcdef', 0)")
    assert "0123456789abcdef" in wrong(installed)["key ring"]


def test_passwords_that_do_not_open_are_counted(installed: Program) -> None:
    installed(
        "settings", "save", "--host", "a.test", "--sender-address", "a@a.test",
        "--user-name", "u", "--password-stdin", typed="secret",
    )  # fmt: skip
    assert findings(installed)["stored passwords"]["message"].endswith(" 1.")
    execute(installed, "DROP TRIGGER smtp_settings_revisions_are_immutable")
    execute(installed, "UPDATE smtp_settings_revisions SET host = 'evil.test'")
    told = wrong(installed)["stored passwords"]
    assert told.startswith("1 of 1 stored passwords do not open")
    assert "default" in told


def test_a_clock_behind_the_last_change_is_found(installed: Program) -> None:
    later = int(time.time() + 7200) * 1_000_000
    execute(
        installed,
        "INSERT INTO audit_events (portal_id, id, at, actor, action, subject, details)"
        f" SELECT id, 'ffffffff', {later}, 'operator', 'x', 'x', '{{}}' FROM portals",
    )
    assert "seconds in the future" in wrong(installed)["clock"]


def test_a_machine_without_a_full_name_is_told_what_to_set(untouched: Program) -> None:
    told = findings(untouched, SMARTHOST_HELO_NAME="")["EHLO name"]
    assert told["ok"] or "SMARTHOST_HELO_NAME" in told["message"]


def test_addresses_held_by_another_program_are_found(untouched: Program) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        address = f"127.0.0.1:{held.getsockname()[1]}"
        told = wrong(
            untouched,
            SMARTHOST_HTTP_LISTEN=address,
            SMARTHOST_SUBMISSION_LISTEN=address,
        )
    assert list(told) == ["HTTP address", "submission address"]
    assert all("in use" in message for message in told.values())


@pytest.mark.parametrize("with_tls", [False, True])
def test_a_port_held_by_a_running_smarthost_is_known(
    untouched: Program, authority: Authority, with_tls: bool
) -> None:
    authority.issue()
    settings = authority.settings() if with_tls else {}
    with serving(untouched, **settings) as service:
        address = f"127.0.0.1:{service.port}"
        told = findings(untouched, SMARTHOST_HTTP_LISTEN=address, **settings)["HTTP address"]
    assert told["ok"]
    assert "running Smarthost" in told["message"]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(folder=tmp_path)


def test_a_good_certificate_is_told_with_its_days(
    untouched: Program, authority: Authority
) -> None:
    authority.issue()
    told = findings(untouched, **authority.settings())["certificate"]
    assert told["ok"]
    assert "localhost" in told["message"]


def test_a_certificate_that_has_to_be_renewed_or_named_otherwise_is_found(
    untouched: Program, authority: Authority
) -> None:
    authority.issue("mail.example.com", not_after=datetime.now(UTC) + timedelta(days=20, hours=1))
    authority.key.chmod(0o644)
    ended = untouched(
        "doctor", "--json", SMARTHOST_BASE_DOMAIN="portals.example.com",
        SMARTHOST_SUBMISSION_TLS_LISTEN="smtp.example.test:0", **authority.settings(),
    )  # fmt: skip
    told = [one["message"] for one in ended.json() if one["check"] == "certificate"]
    assert len(told) == 4
    for words in ("chmod o-rwx", "expires in 20 days", "*.portals.example.com", "smtp.example"):
        assert any(words in message for message in told), words


def test_a_certificate_without_its_key_is_found(untouched: Program, authority: Authority) -> None:
    authority.issue()
    authority.key.unlink()
    assert "private key" in wrong(untouched, **authority.settings())["certificate"]
