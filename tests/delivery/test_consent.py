"""The two messages of a consent: where somebody is sent, and how the code is exchanged."""

import base64
import hashlib
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smarthost.delivery.bearer_token import shown_words
from smarthost.delivery.consent import exchange_form, page_url
from smarthost.secret import Secret
from smarthost.smtp_settings.binding.consent.model import CameBack, SetOut
from smarthost.smtp_settings.binding.model import Binding
from smarthost.smtp_settings.model import no_revision
from smarthost.smtp_settings.oauth2 import Grant, OAuth2, OAuth2Secrets

BACK = "https://mail.example.com/callback"
OAUTH2 = OAuth2(
    grant=Grant.AUTHORIZATION_CODE,
    client_id="app 4711&x",
    token_url="https://login.example.com/token",
    scope="mail.send offline_access",
    authorization_url="https://login.example.com/authorize",
)


def out(url: str) -> SetOut:
    return SetOut(
        oauth2=msgspec.structs.replace(OAUTH2, authorization_url=url),
        user_name="notify+x@example.com",
        redirect_uri=BACK,
        state=Secret("the-state"),
        verifier=Secret("the-verifier"),
    )


@pytest.mark.parametrize("query", ["", "?tenant=7", "?"])
def test_a_page_is_asked_for_a_code_with_the_proof_of_rfc_7636(query: str) -> None:
    url = page_url(out(f"https://login.example.com/authorize{query}"))

    asked = {name: value for name, (value,) in parse_qs(urlsplit(url).query).items()}
    proof = base64.urlsafe_b64decode(asked.pop("code_challenge") + "=")
    assert proof == hashlib.sha256(b"the-verifier").digest()
    assert asked.pop("tenant", None) == ("7" if "7" in query else None)
    assert asked == {
        "response_type": "code",
        "client_id": "app 4711&x",
        "redirect_uri": BACK,
        "scope": "mail.send offline_access",
        "state": "the-state",
        "code_challenge_method": "S256",
        "login_hint": "notify+x@example.com",
    }
    assert "the-verifier" not in url


def test_google_is_asked_for_a_refresh_token() -> None:
    for host, asks in (("accounts.google.com", True), ("accounts.google.com.test", False)):
        url = page_url(out(f"https://{host}/o/oauth2/v2/auth"))
        assert ("access_type=offline&prompt=consent" in url) is asks


@pytest.mark.parametrize("secret", [None, Secret("of the application")])
def test_a_code_is_exchanged_with_its_verifier(secret: Secret | None) -> None:
    came = CameBack(
        revision=no_revision("portal-1"),
        binding=Binding(oauth2=OAUTH2, secrets=OAuth2Secrets(client_secret=secret)),
        redirect_uri=BACK,
        verifier=Secret("the-verifier"),
        set_out_by="anna@example.com",
    )

    form = parse_qs(exchange_form(came, Secret("4/abc&d")).decode())

    assert form.pop("client_secret", None) == (["of the application"] if secret else None)
    assert form == {
        "grant_type": ["authorization_code"],
        "client_id": ["app 4711&x"],
        "code": ["4/abc&d"],
        "code_verifier": ["the-verifier"],
        "redirect_uri": [BACK],
    }


@given(st.text(), st.text(alphabet="abcXYZ019-._~+=%", min_size=40, max_size=2000))
def test_words_of_a_provider_are_one_short_line_without_a_token(before: str, token: str) -> None:
    words = shown_words(f"{before} {token}")

    assert len(words) <= 160
    assert words.isprintable()
    assert token[:40] not in words


def test_the_ids_that_providers_give_for_their_support_are_shown() -> None:
    said = "AADSTS7000215: Invalid secret. Trace ID: 1b730954-1685-4b74-9bfd-dac224a7b894"
    assert shown_words(said) == said
