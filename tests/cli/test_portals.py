"""`portal`, `user` and `key`: made, listed, changed and removed by the operator."""

import pytest

from tests.cli.program import ADMIN, Program

SEVERAL = {"SMARTHOST_BASE_DOMAIN": "portals.test"}


def test_a_standalone_installation_gets_no_second_portal(untouched: Program) -> None:
    ended = untouched("portal", "create", "acme")
    assert ended.code == 4
    assert "SMARTHOST_BASE_DOMAIN" in ended.err


def test_portals_are_made_listed_and_switched(installed: Program) -> None:
    made = installed("portal", "create", "acme", "--json", **SEVERAL).json()
    fields = {"id", "name", "createdAt", "settingsAllowed", "domainSendersAllowed", "suspendedAt"}
    assert set(made) == fields
    assert made["settingsAllowed"] is True
    denied = installed("portal", "deny-settings", "acme", "--json", **SEVERAL).json()
    assert denied == made | {"settingsAllowed": False}
    listed = installed("portal", "list", "--json", **SEVERAL).json()
    assert [row["name"] for row in listed] == ["acme", "default"]
    assert listed[0] == denied
    assert "denied" in installed("portal", "list", **SEVERAL).out.splitlines()[1]
    assert installed("portal", "allow-settings", "acme", "--json", **SEVERAL).json() == made
    assert installed("portal", "create", "acme", **SEVERAL).code == 4


def test_mail_from_the_whole_domain_is_allowed_and_denied(installed: Program) -> None:
    made = installed("portal", "create", "acme", "--json", **SEVERAL).json()
    assert made["domainSendersAllowed"] is False
    allowed = installed("portal", "allow-domain-senders", "acme", "--json", **SEVERAL).json()
    assert allowed == made | {"domainSendersAllowed": True}
    assert "of the domain" in installed("portal", "list", **SEVERAL).out.splitlines()[1]
    assert "alone" in installed("portal", "deny-domain-senders", "acme", **SEVERAL).out
    assert installed("portal", "list", "--json", **SEVERAL).json()[0] == made


def test_with_several_portals_a_command_asks_which_one(installed: Program) -> None:
    assert installed("portal", "create", "acme", **SEVERAL).code == 0
    ended = installed("user", "list", **SEVERAL)
    assert ended.code == 2
    assert "(acme, default)" in ended.err
    assert "--portal" in ended.err
    assert installed("user", "list", "--portal", "acme", "--json", **SEVERAL).json() == []
    # A portal without anybody has nobody whose key it could be.
    options = ("--name", "x", "--permission", "read", "--portal", "acme")
    ended = installed("key", "create", *options, **SEVERAL)
    assert ended.code == 1
    assert "smarthost user create --portal acme" in ended.err


def test_users_are_made_listed_and_removed(installed: Program) -> None:
    made = installed("user", "create", "Shop@Example.com", "--json").json()
    assert set(made) == {"id", "email", "role", "createdAt", "hasPassword"}
    assert (made["email"], made["role"], made["hasPassword"]) == (
        "shop@example.com",
        "user",
        False,
    )
    assert installed("user", "create", "shop@example.com").code == 4
    secret = installed.folder / "password"
    secret.write_text("long enough\n")
    changed = installed(
        "user", "password", "shop@example.com", "--password-file", "password", "--json"
    ).json()
    assert changed == made | {"hasPassword": True}
    assert [user["email"] for user in installed("user", "list", "--json").json()] == [
        ADMIN,
        "shop@example.com",
    ]
    ended = installed("user", "remove", "shop@example.com", "--json")
    assert (ended.code, ended.json()) == (0, True)
    assert installed("user", "remove", "shop@example.com").code == 1


def test_the_last_administrator_stays(untouched: Program) -> None:
    ended = untouched("user", "remove", ADMIN)
    assert ended.code == 4
    assert "last administrator" in ended.err


@pytest.mark.parametrize("password", ["", "short", "x" * 1001])
def test_a_password_of_the_wrong_length_is_refused(untouched: Program, password: str) -> None:
    ended = untouched("user", "password", ADMIN, "--password-stdin", typed=password)
    assert ended.code == 2
    assert "8 to 1000" in ended.err


def test_a_new_password_is_asked_for_twice_on_a_terminal(installed: Program) -> None:
    password = "correct horse"
    ended = installed.at_terminal(
        "user", "password", ADMIN, answers=(f"{password}\n", f"{password}\n")
    )
    assert ended.code == 0
    assert password not in ended.out
    ended = installed.at_terminal("user", "password", ADMIN, answers=("one of them\n", "other\n"))
    assert ended.code == 2
    assert "not the same" in ended.out


def test_ctrl_c_at_a_question_ends_with_130(untouched: Program) -> None:
    ended = untouched.at_terminal("user", "password", ADMIN, answers=("\x03",))
    assert ended.code == 130
    assert "Traceback" not in ended.out


def test_keys_are_made_listed_and_revoked(installed: Program) -> None:
    made = installed(
        "key", "create", "--name", "x", "--permission", "send", "--permission", "read",
        "--expires-in-days", "3", "--json",
    ).json()  # fmt: skip
    assert made["permissions"] == ["read", "send"]
    assert made["createBy"]["displayName"] == ADMIN
    listed = installed("key", "list", "--json").json()[1]
    assert listed == {name: value for name, value in made.items() if name != "key"}
    assert made["key"] not in installed("key", "list").out
    assert installed("key", "revoke", made["id"], "--json").json() is True
    assert installed("key", "revoke", made["id"]).code == 1


def test_a_new_key_goes_alone_into_a_pipe_and_with_words_to_a_terminal(
    installed: Program,
) -> None:
    line = ("key", "create", "--name", "x", "--permission", "*")
    assert installed(*line).out.startswith("sh_")
    shown = installed.at_terminal(*line)
    assert f"Made a key for {ADMIN}" in shown.out
    assert "not shown again" in shown.out


def test_a_user_holds_keys_for_sending_alone(installed: Program) -> None:
    installed("user", "create", "shop@example.com")
    line = ("key", "create", "--name", "x", "--as", "shop@example.com", "--permission")
    assert installed(*line, "read").code == 2
    made = installed(*line, "send", "--json").json()
    assert made["createBy"]["displayName"] == "shop@example.com"


def test_all_faults_of_a_key_are_told_by_their_options(untouched: Program) -> None:
    ended = untouched(
        "key", "create", "--name", "x" * 31, "--permission", "read", "--expires-in-days", "366"
    )
    assert ended.code == 2
    assert "--name: " in ended.err
    assert "--expires-in-days: " in ended.err


def test_tables_are_for_terminals_and_tabs_for_pipes(untouched: Program) -> None:
    assert untouched("user", "list").out.startswith("EMAIL\tROLE\t")
    shown = untouched.at_terminal("user", "list").out
    assert "\t" not in shown
    assert ADMIN in shown
