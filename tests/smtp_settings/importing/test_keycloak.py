import json

import pytest

from smarthost.secret import Secret
from smarthost.smtp_settings.importing.model import Left
from smarthost.smtp_settings.model import SettingsInput
from tests.smtp_settings.importing.files import imported, notes, refusal

SERVER = {
    "host": "mail.example.com",
    "port": "587",
    "from": "notify@example.com",
    "fromDisplayName": "Realm",
    "replyTo": "",
    "replyToDisplayName": "",
    "envelopeFrom": "",
    "ssl": "false",
    "starttls": "true",
    "auth": "true",
    "authType": "basic",
    "user": "notify",
    "password": "p",
}


def realm(**changed: object) -> str:
    return json.dumps({"id": "x", "realm": "shop", "smtpServer": {**SERVER, **changed}})


def test_the_mail_server_of_a_realm_is_found() -> None:
    found = imported(realm())
    assert found.recognised == "a realm of Keycloak"
    assert found.notes == ()
    assert found.places["host"] == "smtpServer.host"
    assert found.typed == SettingsInput(
        host="mail.example.com",
        port=587,
        sender_address="notify@example.com",
        sender_display_name="Realm",
        user_name="notify",
        password=Secret("p"),
        enable_ssl=True,
        enable_auth=True,
    )


def test_an_export_of_one_realm_in_a_list_and_the_object_alone_are_the_same() -> None:
    assert imported(f"[{realm()}]") == imported(realm())
    assert imported(json.dumps(SERVER)) == imported(realm())
    assert imported("\ufeff" + realm()) == imported(realm())


@pytest.mark.parametrize("password", ["**********", "${vault.smtp}", "${MAIL_PASSWORD}"])
def test_what_stands_for_a_password_is_none(password: str) -> None:
    found = imported(realm(password=password))
    assert (found.typed.password, found.typed.enable_auth) == (None, True)
    assert "smtpServer.password holds no password" in found.notes[0]


def test_numbers_and_switches_may_be_of_any_type() -> None:
    typed = imported(realm(port=465, ssl=True, starttls=False, auth=True)).typed
    assert (typed.port, typed.enable_ssl, typed.enable_auth) == (465, True, True)


@pytest.mark.parametrize("auth", ["false", "", None, False])
def test_without_auth_nobody_logs_in(auth: object) -> None:
    typed = imported(realm(auth=auth)).typed
    assert (typed.enable_auth, typed.user_name, typed.password) == (False, None, None)


def test_no_tls_is_told() -> None:
    assert imported(realm(starttls="false")).typed.enable_ssl is False
    assert "give --ssl" in notes(realm(starttls="false"))


def test_what_cannot_be_kept_is_told() -> None:
    told = notes(realm(replyTo="a@b.test", envelopeFrom="b@b.test", timeout="5000"))
    assert f"smtpServer.replyTo was left out: {Left.REPLY_TO}." in told
    assert f"smtpServer.envelopeFrom was left out: {Left.ENVELOPE}." in told
    assert f"smtpServer.timeout was left out: {Left.TIMES}." in told


def test_a_login_by_token_is_left_out_where_it_is_the_one() -> None:
    by_token = {"authTokenUrl": "https://login.test", "authTokenClientId": "x"}
    assert imported(realm(**by_token)).typed.enable_auth is True
    found = imported(realm(**by_token, authType="token"))
    assert found.typed.enable_auth is False
    (note,) = found.notes
    assert note.startswith("The login by OAUTH2 was left out.")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (realm(host="${MAIL_HOST}"), "smtpServer.host: this refers to a value"),
        (realm(port="smtp"), "smtpServer.port: the port is a number"),
        (realm(ssl="perhaps"), "smtpServer.ssl: write true or false"),
        (f"[{realm()},{realm()}]", "Several realms here have a mail server"),
        ('{"realm": "x"}', "no object smtpServer"),
        ('{"realm": "x", "smtpServer": {}}', "no object smtpServer"),
        ('{"smtpServer": 1}', "no object smtpServer"),
        ("[]", "no object smtpServer"),
        ("{", "begins as JSON does and is none"),
        ('{"a": 1, "a": 2}', "has a name twice"),
        ("[" * 100_000, "is nested too deeply"),
        ('{"a": ' + "9" * 5_000 + "}", "begins as JSON does and is none"),
    ],
)
def test_what_cannot_be_is_a_fault(text: str, fault: str) -> None:
    assert fault in refusal(text)
