"""`database`: back-up, restore and upgrade, as an operator types them."""

import pytest

from smarthost.database.migrate import migrations
from tests.cli.program import Program
from tests.cli.test_doctor import execute, findings, wrong
from tests.cli.test_portals import SEVERAL
from tests.journeys.served import serving

NEWEST = migrations("sqlite")[-1].version
SAVE = ("settings", "save", "--host", "127.0.0.1", "--port", "9", "--sender-address", "a@b.test")
SEND = ("send", "--text", "x", "anna@example.org")


def put_away(program: Program) -> None:
    """Move the database away, as the documentation says."""
    old = program.folder / "old"
    old.mkdir()
    for path in program.data_dir.glob("smarthost.db*"):
        path.rename(old / path.name)


def back_up_and_restore(program: Program) -> None:
    assert program("database", "backup", "copy.db").code == 0
    put_away(program)
    assert program("database", "restore", "copy.db").code == 0


def test_a_back_up_tells_what_it_holds(installed: Program) -> None:
    made = installed("database", "backup", "copy.db", "--json").json()
    path = installed.folder / "copy.db"
    assert set(made) == {"path", "octets", "takenAt", "schemaVersion", "rows"}
    assert (made["path"], made["octets"]) == ("copy.db", path.stat().st_size)
    assert (made["schemaVersion"], made["rows"]["portals"]) == (NEWEST, 1)
    assert path.stat().st_mode & 0o777 == 0o600
    told = installed("database", "backup", "other.db")
    assert "Backed up to other.db: " in told.out
    assert str(installed.data_dir / "keyring.json") in told.out


def test_a_file_that_is_there_is_a_conflict(installed: Program) -> None:
    (installed.folder / "copy.db").write_text("mine")
    installed("database", "backup", "copy.db").assert_one_line(4, "is there already")
    assert (installed.folder / "copy.db").read_text() == "mine"


def test_without_an_installation_there_is_nothing_to_back_up(program: Program) -> None:
    assert program("database", "backup", "copy.db").code == 3
    assert program("database", "upgrade").code == 3
    assert not program.data_dir.exists()


def test_a_back_up_holds_no_key(installed: Program) -> None:
    typed = "CANARY-pässword"
    saved = installed(*SAVE, "--user-name", "u", "--password-stdin", typed=typed)
    assert saved.code == 0, saved.err
    installed("database", "backup", "copy.db")
    content = (installed.folder / "copy.db").read_bytes()
    assert typed.encode() not in content
    for line in (installed.data_dir / "keyring.json").read_text().split('"'):
        assert len(line) < 40 or line.encode() not in content


def test_what_waited_is_held_and_can_be_sent_or_forgotten(installed: Program) -> None:
    installed(*SAVE)
    first, second = (installed(*SEND).out.strip() for _ in range(2))
    back_up_and_restore(installed)
    told = findings(installed)["restored mail"]
    assert (told["ok"], "This is a back-up of 20" in told["message"]) == (True, True)
    opened = installed("queue", "--json")
    assert "its mail is held" in opened.err
    assert "smarthost messages release --restored" in opened.err
    assert (opened.json()[0]["recipients"]["held"], opened.json()[0]["restored"]) == (2, 2)
    shown = installed.at_terminal("queue", "--once").out
    assert "its mail is held" not in shown, "that is told once; how many there are, each time"
    assert "2 recipients are held: the mail comes out of a back-up" in shown
    assert set(wrong(installed)) == {"restored mail"}
    new = installed(*SEND).out.strip()
    assert installed("messages", "release", first).code == 0
    cancelled = installed("messages", "cancel", "--restored", "--json").json()
    assert [one["id"] for one in cancelled] == [second]
    (row,) = installed("queue", "--json").json()
    assert (row["recipients"]["queued"], row["recipients"]["cancelled"]) == (2, 1)
    assert row["restored"] == 0
    assert new not in (first, second)


def test_all_portals_are_meant_unless_one_is_named(installed: Program) -> None:
    assert installed("portal", "create", "acme", **SEVERAL).code == 0
    for name in ("acme", "default"):
        assert installed(*SAVE, "--portal", name, **SEVERAL).code == 0
        assert installed(*SEND, "--portal", name, **SEVERAL).code == 0
    back_up_and_restore(installed)
    cancel, release = (("messages", what, "--restored") for what in ("cancel", "release"))
    assert installed(*release, "--portal", "acme", **SEVERAL).out == "1 message is released.\n"
    assert installed(*cancel, **SEVERAL).out == "1 message is cancelled.\n"


@pytest.mark.parametrize("also", ["--all", "01a20468-4c81-7568-b9c7-f3a45b943b40"])
def test_restored_stands_alone(untouched: Program, also: str) -> None:
    ended = untouched("messages", "cancel", "--restored", also)
    ended.assert_one_line(2, "Give --restored alone")


def test_a_restore_keeps_out_of_the_way_of_what_is_there(installed: Program) -> None:
    installed("database", "backup", "copy.db")
    refused = installed("database", "restore", "copy.db")
    refused.assert_one_line(4, "Stop the service, move smarthost.db")
    with serving(installed):
        put_away(installed)
        installed("database", "restore", "copy.db").assert_one_line(4, "Stop it first")
    left = [path.name for path in installed.data_dir.glob("smarthost.db*")]
    assert "smarthost.db" not in left


def test_a_missing_key_ring_is_told_and_nothing_starts_without_it(installed: Program) -> None:
    installed(*SAVE, "--user-name", "u", "--password-stdin", typed="secret")
    installed("database", "backup", "copy.db")
    elsewhere = {"SMARTHOST_DATA_DIR": str(installed.folder / "new")}
    told = installed("database", "restore", "copy.db", **elsewhere)
    assert told.code == 0
    assert "The key ring is missing." in told.out
    refused = installed("settings", "show", **elsewhere)
    refused.assert_one_line(3, "is missing")
    (installed.data_dir / "keyring.json").rename(installed.folder / "new" / "keyring.json")
    assert installed("settings", "show", **elsewhere).code == 0


def test_what_is_no_back_up_is_refused(program: Program) -> None:
    (program.folder / "text").write_text("no database" * 1000)
    program("database", "restore", "text").assert_one_line(5, "text is damaged")
    program("database", "restore", "missing").assert_one_line(5, "missing")
    assert not list(program.data_dir.glob("smarthost.db*"))


def test_an_upgrade_says_from_where_to_where(installed: Program) -> None:
    assert installed("database", "upgrade", "--json").json() == {"from": NEWEST, "to": NEWEST}


def test_a_store_without_tables_is_upgraded_and_a_newer_one_refused(program: Program) -> None:
    program.data_dir.mkdir()
    (program.data_dir / "smarthost.db").touch(0o600)
    upgraded = program("database", "upgrade")
    assert upgraded.out == f"Upgraded from schema version 0 to {NEWEST}.\n"
    again = program("database", "upgrade")
    assert again.out == f"The database has schema version {NEWEST} already.\n"
    execute(program, "INSERT INTO schema_migrations VALUES (99, 'later', 0)")
    program("database", "upgrade").assert_one_line(5, "schema version 99")
    # A back-up is taken of whatever there is.
    assert program("database", "backup", "copy.db").code == 0
    put_away(program)
    program("database", "restore", "copy.db").assert_one_line(5, "schema version 99")


def test_at_a_terminal_a_bar_shows_how_far_it_is(installed: Program) -> None:
    ended = installed.at_terminal("database", "backup", "copy.db", term="xterm")
    assert ended.code == 0, ended.out
    assert "Backed up to copy.db" in ended.out
