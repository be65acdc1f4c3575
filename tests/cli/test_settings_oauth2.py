"""`settings oauth2`, by the real program."""

import json

from tests.cli.program import ADMIN, Program
from tests.smtp_settings.binding.bindings import EMAIL, private_key

RELAY = ("--host", "smtp.gmail.com", "--port", "587", "--sender-address", "a@a.test", "--ssl")
CANARY = "c4nary-of-the-application"
APPLICATION = (
    *("settings", "oauth2", "set", "--grant", "refresh_token", "--client-id", "app-4711"),
    *("--user-name", "notify@a.test"),
)
REFRESH_TOKEN = "c4nary-refresh-token"


def test_it_is_set_up_shown_and_removed(installed: Program) -> None:
    installed(*APPLICATION).assert_one_line(1, "no settings of its own")
    assert installed("settings", "save", *RELAY).code == 0
    secret = installed.folder / "secret.txt"
    secret.write_text(f"{CANARY}\n")
    line = (*APPLICATION, "--client-secret-file", str(secret), "--as", ADMIN)
    ended = installed(*line, "--refresh-token-file", "-", typed=REFRESH_TOKEN)
    assert ended.code == 0, ended.err
    rows = dict(row.split("\t") for row in ended.out.splitlines())
    assert (rows["state"], rows["revision"], rows["grant"]) == ("ready", "2", "refresh_token")
    assert rows["token url"] == "https://oauth2.googleapis.com/token"
    shown = installed("settings", "show").out
    assert "as notify@a.test with OAuth2" in shown
    told = installed("settings", "oauth2", "show", "--json").json()
    assert (told["provider"], told["userName"]) == ("gmail", "notify@a.test")
    events = installed("audit", "list", "--action", "settings.oauth2_bound", "--json").out
    assert f"operator as {ADMIN}" in events
    stale = ("settings", "oauth2", "remove", "--if-revision", "1")
    installed(*stale).assert_one_line(4, "Since revision 1: revision 2 saved by operator")
    gone = installed("settings", "oauth2", "remove", "--json").json()
    assert (gone["state"], gone["endedBy"], gone["revision"]) == ("ended", "operator", 3)
    everything = ended.out + shown + json.dumps(told) + events
    for one in (CANARY, REFRESH_TOKEN):
        assert one not in everything


def test_a_service_accounts_file_is_enough_for_google(installed: Program) -> None:
    installed("settings", "save", *RELAY)
    token_url = "https://oauth2.googleapis.com/token"
    file = {"client_email": EMAIL, "private_key": private_key(), "token_uri": token_url}
    (installed.folder / "key.json").write_text(json.dumps(file))
    line = ("settings", "oauth2", "set", "--grant", "service_account", "--user-name", "n@a.test")
    told = installed(*line, "--service-account-file", "key.json", "--json").json()
    assert (told["clientId"], told["state"]) == (EMAIL, "ready")
    save = ("settings", "save", *RELAY, "--user-name", "n@a.test", "--password-stdin")
    ended = installed(*save, typed="a password")
    assert (ended.code, ended.err) == (0, "The OAuth2 sign-in has ended.\n")


def test_what_is_wrong_is_told_by_option(installed: Program) -> None:
    installed("settings", "save", *RELAY[:-1])
    ended = installed(
        *("settings", "oauth2", "set", "--grant", "client_credentials"),
        *("--token-url", "http://a.test", "--client-secret-file", "-"),
        typed="\n",
    )
    assert (ended.code, ended.out) == (2, "")
    for option in ("--token-url", "--scope", "--client-id", "--user-name", "--ssl of settings"):
        assert option in ended.err
    assert "--client-secret-file: The client secret is needed" in ended.err
    both = ("--client-secret-file", "-", "--refresh-token-file", "-")
    assert installed(*APPLICATION, *both).code == 2
    missing = installed(*APPLICATION, "--client-secret-file", CANARY)
    assert missing.code == 2
    assert CANARY not in missing.err
