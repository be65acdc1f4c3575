from collections.abc import Callable

import pytest

from smarthost.config import Config, OpenIdConnect
from smarthost.config.faults import InvalidValueError
from smarthost.config.open_id_connect import parse_claim_and_value, parse_issuer

Load = Callable[..., Config]
Faults = Callable[..., list[str]]

ISSUER = {"SMARTHOST_OIDC_ISSUER": "https://login.example.com/realms/main/"}
AUDIENCE = {"SMARTHOST_OIDC_AUDIENCE": "smarthost"}
SEVERAL = {"SMARTHOST_BASE_DOMAIN": "portals.example.com"}
PORTAL = {"SMARTHOST_OIDC_PORTAL_CLAIM": "portals"}


def test_an_issuer_and_an_audience_are_enough_for_one_portal(load: Load) -> None:
    assert load(ISSUER | AUDIENCE).open_id_connect == OpenIdConnect(
        issuer="https://login.example.com/realms/main/",
        audience="smarthost",
        email_claim="email",
        portal_claim=None,
        administrators=None,
    )


def test_claims_are_chosen(load: Load) -> None:
    chosen = load(
        ISSUER
        | AUDIENCE
        | SEVERAL
        | PORTAL
        | {
            "SMARTHOST_OIDC_EMAIL_CLAIM": "upn",
            "SMARTHOST_OIDC_ADMINISTRATORS": "realm_access.roles = mail = yes",
        }
    ).open_id_connect
    assert chosen is not None
    assert (chosen.email_claim, chosen.portal_claim) == ("upn", "portals")
    assert chosen.administrators == ("realm_access.roles", "mail = yes")


@pytest.mark.parametrize(
    "issuer",
    [
        "https://accounts.google.com",
        "https://login.example.com:8443/a/b%20c/",
        "https://[2001:db8::1]/x",
        "https://Login.Example.com/Tenant",
    ],
)
def test_an_issuer_stays_as_it_was_written(issuer: str) -> None:
    assert parse_issuer(issuer) == issuer


@pytest.mark.parametrize(
    "issuer",
    [
        "http://localhost:8080/realms/main",
        "HTTPS://login.example.com",
        "login.example.com",
        "https://",
        "https:///realms",
        "https://user@login.example.com",
        "https://login.example.com?x=y",
        "https://login.example.com/#x",
        "https://login.example.com:99999",
        "https://login.example.com:0",
        "https://login.example.com:x",
        "https://login example.com",
        "https://login.example.com/\\x",
        "https://l\u00f6gin.example.com",
        "https://[::1",
        "https://login.example.com/" + "x" * 255,
    ],
)
def test_what_is_no_https_url_of_an_issuer_is_refused(issuer: str) -> None:
    with pytest.raises(InvalidValueError, match="URL of an issuer"):
        parse_issuer(issuer)


@pytest.mark.parametrize("text", ["groups", "=mail", "groups=", "=", "x" * 256 + "=y"])
def test_a_claim_has_a_value(text: str) -> None:
    with pytest.raises(InvalidValueError):
        parse_claim_and_value(text)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        (ISSUER, ["SMARTHOST_OIDC_ISSUER: without an audience"]),
        (AUDIENCE, ["SMARTHOST_OIDC_AUDIENCE: this needs an issuer"]),
        (PORTAL | SEVERAL, ["SMARTHOST_OIDC_PORTAL_CLAIM: this needs an issuer"]),
        (ISSUER | AUDIENCE | PORTAL, ["SMARTHOST_OIDC_PORTAL_CLAIM: there is one portal"]),
        (ISSUER | AUDIENCE | SEVERAL, ["SMARTHOST_OIDC_ISSUER: with several portals"]),
        (
            ISSUER | SEVERAL | {"SMARTHOST_OIDC_ADMINISTRATORS": "x"},
            [
                "SMARTHOST_OIDC_ISSUER: without an audience",
                "SMARTHOST_OIDC_ISSUER: with several portals",
                "SMARTHOST_OIDC_ADMINISTRATORS: write a claim and its value",
            ],
        ),
        (
            {"SMARTHOST_OIDC_ISSUER": "http://x", "SMARTHOST_OIDC_EMAIL_CLAIM": "x" * 256},
            [
                "SMARTHOST_OIDC_ISSUER: without an audience",
                "SMARTHOST_OIDC_ISSUER: this is not the URL",
                "SMARTHOST_OIDC_EMAIL_CLAIM: the name of a claim",
            ],
        ),
    ],
)
def test_what_is_missing_or_of_no_use_is_told_at_once(
    faults: Faults, environ: dict[str, str], expected: list[str]
) -> None:
    lines = faults(environ)
    assert len(lines) == len(expected), lines
    assert all(line.startswith(start) for line, start in zip(lines, expected, strict=True)), lines
