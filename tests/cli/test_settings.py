"""`settings`: the API's rules, under the names of the options."""

import apsw

from tests.cli.program import ADMIN, Program
from tests.journeys.served import serving

OPEN = ("--host", "a.test", "--sender-address", "a@a.test")
LOGIN = (*OPEN, "--ssl", "--user-name", "u")


def test_saving_answers_what_the_api_answers(installed: Program) -> None:
    saved = installed(
        "settings", "save", *LOGIN, "--port", "465", "--sender-display-name", "Postman",
        "--password-stdin", "--json", typed="secret\n",
    ).json()  # fmt: skip
    assert saved == {
        "host": "a.test",
        "port": 465,
        "senderAddress": "a@a.test",
        "senderDisplayName": "Postman",
        "credentialsUserName": "u",
        "credentialsUserPassword": "",
        "enableSSL": True,
        "enableAuth": True,
        "useNtlm": False,
        "isDefaultSettings": False,
    }
    assert installed("settings", "show", "--json").json() == saved
    assert installed("settings", "reset", "--json").json()["isDefaultSettings"] is True


def test_saving_takes_the_place_of_everything_but_a_password_for_the_same_login(
    installed: Program,
) -> None:
    line = ("settings", "save", *LOGIN)
    assert installed(*line, "--password-stdin", typed="secret").code == 0
    assert installed(*line).code == 0
    ended = installed(*line, "--port", "587")
    assert ended.code == 2
    assert "--password-stdin or --password-file: The password is needed" in ended.err
    saved = installed("settings", "save", *OPEN, "--json").json()
    assert (saved["enableSSL"], saved["enableAuth"]) == (False, False)
    assert "credentialsUserName" not in saved


def test_all_faults_are_told_at_once_by_their_options(untouched: Program) -> None:
    ended = untouched(
        "settings", "save", "--host", "smtp://a.test", "--port", "0", "--sender-address", "nobody",
        "--auth",
    )  # fmt: skip
    assert ended.code == 2
    told = [line.split(": ")[1] for line in ended.err.splitlines()]
    assert told == [
        "--host",
        "--port",
        "--sender-address",
        "--user-name",
        "--password-stdin or --password-file",
    ]


def test_a_revision_that_is_not_in_force_is_a_conflict(installed: Program) -> None:
    assert installed("settings", "save", *OPEN, "--if-revision", "0").code == 0
    shown = installed("settings", "show").out
    assert "revision\t1" in shown
    ended = installed("settings", "save", *LOGIN, "--no-auth", "--if-revision", "0")
    assert ended.code == 4
    assert "Since revision 0: revision 1 saved by operator (host, port, " in ended.err
    assert installed("settings", "reset", "--if-revision", "7").code == 4
    assert installed("settings", "show").out == shown


def test_the_audit_names_the_operator_and_on_whose_behalf(installed: Program) -> None:
    assert installed("settings", "save", *OPEN).code == 0
    assert "by operator\n" in installed("settings", "show").out
    assert installed("settings", "reset", "--as", ADMIN).code == 0
    assert f"by operator as {ADMIN}\n" in installed("settings", "show").out
    assert installed("settings", "reset", "--as", "nobody@example.com").code == 1


def test_the_password_is_asked_for_on_a_terminal_once_the_rest_is_right(
    installed: Program,
) -> None:
    line = ("settings", "save", *LOGIN)
    wrong = installed.at_terminal(*line, "--port", "0")
    assert wrong.code == 2
    assert "Password" not in wrong.out
    ended = installed.at_terminal(*line, answers=("hush hush\n",))
    assert ended.code == 0
    assert "Password of u at a.test: " in ended.out
    assert "hush" not in ended.out
    again = installed.at_terminal(*line, answers=("\n",))
    assert again.code == 0
    assert "(empty: the stored one stays)" in again.out
    assert "revision" in again.out


def test_the_operator_sees_the_default_relay_that_portals_do_not(untouched: Program) -> None:
    environ = {
        "SMARTHOST_DEFAULT_RELAY_URL": "smtp://u:hush@relay.test?sender=a@relay.test",
        "SMARTHOST_BASE_DOMAIN": "portals.test",
    }
    shown = untouched("settings", "show", **environ)
    assert "host\trelay.test" in shown.out
    assert "hush" not in shown.out
    assert "host" not in untouched("settings", "show", "--json", **environ).json()
    del environ["SMARTHOST_BASE_DOMAIN"]
    assert untouched("settings", "show", "--json", **environ).json()["host"] == "relay.test"


def test_a_canary_password_is_nowhere_but_sealed(installed: Program) -> None:
    canary = "CANARY-3f1c-password"
    (installed.folder / "password").write_text(f"{canary}\n")
    with serving(installed) as service:
        ended = installed("settings", "save", *LOGIN, "--password-file", "password")
        assert ended.code == 0
        faulty = installed("settings", "save", "--auth", "--password-stdin", typed=canary)
        assert faulty.code == 2
        shown = installed("settings", "show")
        user = installed("user", "password", ADMIN, "--password-stdin", typed=canary)
        assert user.code == 0
        kept = [path for path in installed.folder.rglob("*") if path.is_file()]
        files = b"".join(path.read_bytes() for path in kept if path.name != "password")
    said = "".join(one.out + one.err for one in (ended, faulty, shown, user))
    assert canary not in said
    assert canary.encode() not in files
    assert canary not in "".join(service.log + service.printed)
    assert service.log
    assert {"smarthost.db", "smarthost.db-wal", "keyring.json"} <= {path.name for path in kept}


def test_a_password_file_that_is_none_is_not_named(untouched: Program) -> None:
    ended = untouched("settings", "save", *LOGIN, "--password-file", "CANARY-my-password")
    assert ended.code == 2
    assert "CANARY" not in ended.err
    assert "--password-file: " in ended.err


def test_a_password_is_not_read_from_where_it_would_be_shown(untouched: Program) -> None:
    ended = untouched.at_terminal("settings", "save", *LOGIN, "--password-stdin")
    assert ended.code == 2
    assert "would show the password" in ended.out


def test_no_option_takes_a_password_itself(untouched: Program) -> None:
    ended = untouched("settings", "save", *LOGIN, "--password", "x")
    assert ended.code == 2


def test_what_a_portal_has_stored_cannot_write_to_the_terminal(installed: Program) -> None:
    installed("user", "create", "shop@example.com")
    database = apsw.Connection(str(installed.data_dir / "smarthost.db"))
    database.execute("UPDATE api_keys SET name = 'x' || char(27) || '[2J' || char(9) || 'y'")
    database.close()
    listed = installed("key", "list").out
    assert "\x1b" not in listed
    assert (
        listed.splitlines()[1].split("\t")[1]
        == "x\N{REPLACEMENT CHARACTER}[2J\N{REPLACEMENT CHARACTER}y"
    )
