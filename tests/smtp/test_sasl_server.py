"""The server's side of PLAIN and LOGIN, led line by line and by a client of our own."""

import base64

import pytest

from smarthost.secret import Secret
from smarthost.smtp.sasl import Login, Plain
from smarthost.smtp.sasl_server import (
    BadResponseError,
    CancelledError,
    Challenge,
    Credentials,
    ServerLogin,
)


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def shown(asked: Challenge | Credentials) -> tuple[str, str]:
    assert isinstance(asked, Credentials)
    return asked.user_name, asked.password.reveal()


def test_plain_with_and_without_initial_response() -> None:
    message = encoded("\0anna\0key")
    assert shown(ServerLogin("PLAIN").begin(message)) == ("anna", "key")
    login = ServerLogin("PLAIN")
    assert login.begin(None) == Challenge(text="")
    assert shown(login.respond(message.encode())) == ("anna", "key")


def test_who_acts_as_itself_is_taken_and_as_another_shows_no_password() -> None:
    assert shown(ServerLogin("PLAIN").begin(encoded("anna\0anna\0key"))) == ("anna", "key")
    assert shown(ServerLogin("PLAIN").begin(encoded("bob\0anna\0key"))) == ("anna", "")


def test_login_with_and_without_initial_response() -> None:
    for initial in (None, encoded("anna")):
        login = ServerLogin("LOGIN")
        asked = login.begin(initial)
        if initial is None:
            assert asked == Challenge(text=encoded("Username:"))
            asked = login.respond(encoded("anna").encode())
        assert asked == Challenge(text=encoded("Password:"))
        assert shown(login.respond(encoded("key").encode())) == ("anna", "key")


def test_our_own_client_logs_in() -> None:
    plain = Plain("jörg", Secret("key"))
    assert shown(ServerLogin("PLAIN").begin(base64.b64encode(plain.initial()).decode())) == (
        "jörg",
        "key",
    )
    client, server = Login("jörg", Secret("key")), ServerLogin("LOGIN")
    asked = server.begin(None)
    while isinstance(asked, Challenge):
        challenge = base64.b64decode(asked.text)
        asked = server.respond(base64.b64encode(client.respond(challenge)))
    assert shown(asked) == ("jörg", "key")


def test_an_empty_response_is_written_so() -> None:
    assert ServerLogin("LOGIN").begin("=") == Challenge(text=encoded("Password:"))


@pytest.mark.parametrize(
    "response",
    [b"", b"***", b"AHgA=", b"\xff", b"YWJj", base64.b64encode(b"\0\xff\0x"), b"A" * 12_000],
)
def test_what_does_not_fit_is_a_bad_response(response: bytes) -> None:
    login = ServerLogin("PLAIN")
    login.begin(None)
    with pytest.raises(BadResponseError):
        login.respond(response)


def test_a_star_breaks_it_off() -> None:
    login = ServerLogin("LOGIN")
    login.begin(None)
    with pytest.raises(CancelledError):
        login.respond(b"*")


def test_a_password_shows_itself_nowhere() -> None:
    asked = ServerLogin("PLAIN").begin(encoded("\0anna\0c4nary"))
    assert "c4nary" not in repr(asked)
