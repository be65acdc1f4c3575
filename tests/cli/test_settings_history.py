"""`settings history` and `settings restore`, by the real program."""

from contextlib import closing

import apsw

from tests.cli.program import ADMIN, Program

OPEN = ("--host", "a.test", "--sender-address", "a@a.test")
LOGIN = (*OPEN, "--ssl", "--user-name", "u", "--password-stdin")


def save(program: Program, *options: str, typed: str = "") -> None:
    ended = program("settings", "save", *options, typed=typed)
    assert ended.code == 0, ended.err


def test_the_history_is_listed_and_an_earlier_revision_restored(installed: Program) -> None:
    save(installed, *LOGIN, typed="hush hush")
    save(installed, *OPEN, "--port", "2525")
    assert installed("settings", "reset", "--as", ADMIN).code == 0
    restored = installed("settings", "restore", "1", "--if-revision", "3", "--json").json()
    assert restored["credentialsUserName"] == "u"
    listed = installed("settings", "history").out.splitlines()
    rows = [line.split("\t") for line in listed]
    assert rows.pop(0) == ["REVISION", "SAVED", "BY", "ACTION", "RELAY", "CHANGED"]
    assert [[row[0], *row[2:5]] for row in rows] == [
        ["4", "operator", "restore", "a.test:25"],
        ["3", f"operator as {ADMIN}", "reset", ""],
        ["2", "operator", "save", "a.test:2525"],
        ["1", "operator", "save", "a.test:25"],
    ]
    assert rows[1][5] == ""
    assert rows[2][5] == "port, credentialsUserName, enableSSL, enableAuth"
    line = ("settings", "history", "--limit", "3")
    cut = installed(*line)
    assert cut.out.splitlines() == listed[:4]
    assert "There are more: give --limit above 3." in cut.err
    told = installed(*line, "--json").json()
    assert [one["revision"] for one in told] == [4, 3, 2]
    assert told[0]["settings"] == restored
    assert told[0]["changed"][-1] == "credentialsUserPassword"
    assert "hush" not in str(told) + "".join(listed)


def test_a_restore_that_cannot_be_done_says_why(installed: Program) -> None:
    save(installed, *LOGIN, typed="hush hush")
    save(installed, *OPEN)
    installed("settings", "restore", "7").assert_one_line(1, "There is no such revision.")
    ended = installed("settings", "restore", "1", "--if-revision", "1")
    ended.assert_one_line(
        4, "Since revision 1: revision 2 saved by operator (credentialsUserName, enableSSL, "
    )
    with closing(apsw.Connection(str(installed.data_dir / "smarthost.db"))) as database:
        database.execute(
            "UPDATE smtp_settings_revisions SET sealed_password = X'00' WHERE revision = 1"
        )
    told = "The password of this revision does not open any more"
    installed("settings", "restore", "1").assert_one_line(1, told)


def test_what_is_no_number_of_a_revision_is_a_usage_error(untouched: Program) -> None:
    for line in (("restore", "0"), ("history", "--limit", "0")):
        assert untouched("settings", *line).code == 2
