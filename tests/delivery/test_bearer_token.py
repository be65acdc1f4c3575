"""What is asked of a token's end point, and what its answers mean."""

import json
from urllib.parse import parse_qsl

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smarthost.clock import MICROSECONDS
from smarthost.delivery.bearer_token import (
    DEFAULT_SECONDS,
    LONGEST_SECONDS,
    NoToken,
    NoTokenError,
    OAuth2Login,
    asked,
    read,
)
from smarthost.http_client.model import Answer
from smarthost.secret import Secret
from smarthost.smtp_settings.oauth2 import Grant, OAuth2, OAuth2Secrets
from tests.oauth2_provider import ACCOUNT, CLIENT_ID, CLIENT_SECRET, SCOPE, Provider

TOKEN_URL = "https://login.example.com/token"
USER = "notify@example.com"
NOW = 1_800_000_000 * MICROSECONDS
GOOD = {"access_token": "ya29.abc", "token_type": "Bearer", "expires_in": 3599}


def login(grant: Grant, *, subject: str | None = None, **secrets: str) -> OAuth2Login:
    return OAuth2Login(
        oauth2=OAuth2(
            grant=grant,
            client_id=ACCOUNT if grant is Grant.SERVICE_ACCOUNT else CLIENT_ID,
            token_url=TOKEN_URL,
            scope=SCOPE,
            subject=subject,
        ),
        secrets=OAuth2Secrets(**{name: Secret(text) for name, text in secrets.items()}),
    )


CLIENT = login(Grant.CLIENT_CREDENTIALS, client_secret=CLIENT_SECRET)
CONSENTED = login(Grant.REFRESH_TOKEN, client_secret=CLIENT_SECRET, refresh_token="1//0refresh")


def form(of: OAuth2Login) -> dict[str, str]:
    return dict(parse_qsl(asked(of, USER, NOW).decode()))


def answered(value: object, status: int = 200) -> Answer:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return Answer(status=status, body=body)


def why(answer: Answer, of: OAuth2Login = CLIENT) -> NoTokenError:
    with pytest.raises(NoTokenError) as caught:
        read(answer, of)
    return caught.value


def test_an_application_asks_with_its_secret() -> None:
    assert form(CLIENT) == {
        "grant_type": "client_credentials",
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "scope": SCOPE,
    }


@pytest.mark.parametrize("grant", [Grant.REFRESH_TOKEN, Grant.AUTHORIZATION_CODE])
def test_a_consent_is_shown_by_its_refresh_token(grant: Grant) -> None:
    shown = form(login(grant, client_secret=CLIENT_SECRET, refresh_token="1//0refresh"))
    assert shown["grant_type"] == "refresh_token"
    assert shown["refresh_token"] == "1//0refresh"
    assert "client_secret" not in form(login(grant, refresh_token="1//0refresh"))


def test_without_a_consent_nothing_is_asked() -> None:
    with pytest.raises(NoTokenError) as caught:
        asked(login(Grant.AUTHORIZATION_CODE, client_secret=CLIENT_SECRET), USER, NOW)
    assert caught.value.why is NoToken.CONSENT_NEEDED


@pytest.mark.parametrize(("subject", "acts_as"), [(None, USER), ("ceo@example.com",) * 2])
def test_a_service_account_signs_whom_it_acts_as(subject: str | None, acts_as: str) -> None:
    provider = Provider()
    key = provider.new_account_key()
    shown = form(login(Grant.SERVICE_ACCOUNT, subject=subject, private_key=key))

    assert shown["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    claims = jwt.decode(shown["assertion"], options={"verify_signature": False})
    assert claims == {
        "iss": ACCOUNT,
        "sub": acts_as,
        "scope": SCOPE,
        "aud": TOKEN_URL,
        "iat": NOW // MICROSECONDS - 60,
        "exp": NOW // MICROSECONDS + 3540,
    }


@pytest.mark.parametrize(
    "key", ["", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"]
)
def test_a_key_that_cannot_sign_is_told_without_it(key: str) -> None:
    with pytest.raises(NoTokenError) as caught:
        asked(login(Grant.SERVICE_ACCOUNT, private_key=key), USER, NOW)
    assert (caught.value.why, caught.value.said) == (
        NoToken.REFUSED,
        "The private key cannot be used.",
    )


@pytest.mark.parametrize(
    ("expires_in", "seconds"),
    [
        (3599, 3599.0),
        ("3599", 3599.0),
        (None, DEFAULT_SECONDS),
        (10**9, LONGEST_SECONDS),
        (0.5, 0.5),
    ],
)
def test_a_token_is_good_for_as_long_as_it_says(expires_in: object, seconds: float) -> None:
    token = read(answered({**GOOD, "expires_in": expires_in, "refresh_token": "next"}), CLIENT)
    assert token.access == Secret("ya29.abc")
    assert token.refresh == Secret("next")
    assert token.seconds == seconds


@pytest.mark.parametrize(
    "said",
    [
        b"<html>Sign in</html>",
        b"",
        b"\xff",
        b"[" * 100_000,
        [],
        {},
        {**GOOD, "access_token": None},
        {**GOOD, "access_token": ""},
        {**GOOD, "access_token": "two words"},
        {**GOOD, "access_token": "a\x01b"},
        {**GOOD, "access_token": "ä"},
        {**GOOD, "access_token": "t" * 16_385},
        {**GOOD, "token_type": "mac"},
        {**GOOD, "expires_in": 0},
        {**GOOD, "expires_in": -1},
        {**GOOD, "expires_in": "soon"},
        {**GOOD, "expires_in": "nan"},
    ],
)
def test_what_is_no_token_is_none_and_may_pass(said: object) -> None:
    assert why(answered(said)).why is NoToken.UNAVAILABLE


@pytest.mark.parametrize(
    ("status", "error", "of", "expected"),
    [
        (401, "invalid_client", CLIENT, NoToken.REFUSED),
        (400, "unauthorized_client", CLIENT, NoToken.REFUSED),
        (400, "invalid_scope", CONSENTED, NoToken.REFUSED),
        (400, "invalid_grant", CLIENT, NoToken.REFUSED),
        (400, "invalid_grant", CONSENTED, NoToken.CONSENT_NEEDED),
        (400, "interaction_required", CONSENTED, NoToken.CONSENT_NEEDED),
        (400, "temporarily_unavailable", CONSENTED, NoToken.UNAVAILABLE),
        (503, "invalid_client", CLIENT, NoToken.UNAVAILABLE),
        (429, "too_many_requests", CLIENT, NoToken.UNAVAILABLE),
    ],
)
def test_an_error_says_who_has_to_do_something(
    status: int, error: str, of: OAuth2Login, expected: NoToken
) -> None:
    found = why(answered({"error": error, "error_description": "Because."}, status), of)
    assert (found.why, found.said) == (expected, f"{error}: Because.")


@pytest.mark.parametrize("status", [302, 404, 500])
def test_an_answer_that_is_no_error_of_oauth2_may_pass(status: int) -> None:
    found = why(answered(b"<html>", status))
    assert (found.why, found.said) == (
        NoToken.UNAVAILABLE,
        f"It answered with status {status}.",
    )


def test_remote_words_that_repeat_the_request_are_without_its_secrets() -> None:
    shown = asked(CONSENTED, USER, NOW).decode()
    for name in ("client_secret", "refresh_token"):
        sent = next(pair for pair in shown.split("&") if pair.startswith(f"{name}="))
        answer = answered({"error": "invalid_request", "error_description": sent}, 400)
        assert why(answer, CONSENTED).said == f"invalid_request: {name}=[hidden]"


def test_remote_words_are_one_short_line_without_secrets() -> None:
    said = f"No:\r\n\x1b[31m{CLIENT_SECRET} 1//0refresh " + "x" * 5000
    found = why(answered({"error": "invalid_client", "error_description": said}, 400), CONSENTED)
    assert found.said.isprintable()
    assert len(found.said) <= 160
    assert CLIENT_SECRET not in found.said
    assert "1//0refresh" not in found.said


@given(st.integers(100, 599), st.binary(max_size=300))
def test_whatever_an_end_point_sends_is_a_token_or_none(status: int, body: bytes) -> None:
    said = ""
    try:
        read(Answer(status=status, body=body), CONSENTED)
    except NoTokenError as error:
        said = error.said
    assert said.isprintable()
