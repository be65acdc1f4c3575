import contextlib
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smarthost.identity.claims import LEEWAY_SECONDS, Said, read_claims
from smarthost.identity.model import Fault, Issuer, TokenRefusedError

NOW = 1_800_000_000
ISSUER = Issuer(
    url="https://login.example.com/",
    audience="smarthost",
    email_claim="email",
    portal_claim=None,
    administrators=None,
)
GOOD: dict[str, Any] = {
    "iss": ISSUER.url,
    "aud": "smarthost",
    "exp": NOW + 300,
    "iat": NOW,
    "email": "anna@example.com",
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


def said(issuer: Issuer = ISSUER, *, is_access_token: bool = False, **changes: Any) -> Said:
    claims = {name: value for name, value in (GOOD | changes).items() if value is not ...}
    return read_claims(claims, issuer, now=NOW, is_access_token=is_access_token)


def fault(issuer: Issuer = ISSUER, **changes: Any) -> Fault:
    with pytest.raises(TokenRefusedError) as caught:
        said(issuer, **changes)
    return caught.value.fault


def other(**changes: Any) -> Issuer:
    return msgspec.structs.replace(ISSUER, **changes)


def test_a_good_token_names_its_user() -> None:
    assert said() == Said(email="anna@example.com", portals=None, administrator=True)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"iss": ...}, Fault.ISSUER),
        ({"iss": "https://login.example.com"}, Fault.ISSUER),
        ({"iss": "https://LOGIN.example.com/"}, Fault.ISSUER),
        ({"iss": ["https://login.example.com/"]}, Fault.ISSUER),
        ({"aud": ...}, Fault.MALFORMED),
        ({"aud": None}, Fault.MALFORMED),
        ({"aud": {"smarthost": True}}, Fault.MALFORMED),
        ({"aud": "smarthost2"}, Fault.AUDIENCE),
        ({"aud": "Smarthost"}, Fault.AUDIENCE),
        ({"aud": ""}, Fault.AUDIENCE),
        ({"aud": []}, Fault.AUDIENCE),
        ({"aud": ["account", "another"]}, Fault.AUDIENCE),
        ({"aud": ["smarthost", "another"]}, Fault.AUTHORIZED_PARTY),
        ({"aud": ["smarthost", "another"], "azp": "another"}, Fault.AUTHORIZED_PARTY),
        ({"azp": 5}, Fault.MALFORMED),
        ({"exp": ...}, Fault.MALFORMED),
        ({"exp": str(NOW + 300)}, Fault.MALFORMED),
        ({"exp": True}, Fault.MALFORMED),
        ({"exp": 10**400}, Fault.MALFORMED),
        ({"exp": NOW - LEEWAY_SECONDS}, Fault.EXPIRED),
        ({"exp": 0}, Fault.EXPIRED),
        ({"exp": -1e300}, Fault.EXPIRED),
        ({"nbf": NOW + LEEWAY_SECONDS + 1}, Fault.NOT_YET),
        ({"nbf": "soon"}, Fault.MALFORMED),
        ({"iat": NOW + LEEWAY_SECONDS + 1}, Fault.NOT_YET),
        ({"iat": []}, Fault.MALFORMED),
        ({"events": {}}, Fault.KIND),
        ({"cnf": {"jkt": "x"}}, Fault.BOUND),
        ({"email": ...}, Fault.NO_EMAIL),
        ({"email": None}, Fault.NO_EMAIL),
        ({"email": ["anna@example.com"]}, Fault.NO_EMAIL),
        ({"email": "anna"}, Fault.NO_EMAIL),
        ({"email": "anna@example.com\n"}, Fault.NO_EMAIL),
        ({"email": "a@example.com, anna@example.com"}, Fault.NO_EMAIL),
        ({"email": "a" * 10_000 + "@example.com"}, Fault.NO_EMAIL),
        ({"email_verified": False}, Fault.EMAIL_UNVERIFIED),
        ({"email_verified": "false"}, Fault.EMAIL_UNVERIFIED),
        ({"email_verified": None}, Fault.EMAIL_UNVERIFIED),
        ({"email_verified": []}, Fault.EMAIL_UNVERIFIED),
    ],
)
def test_each_claim_that_is_wrong_refuses_the_token(
    changes: dict[str, Any], expected: Fault
) -> None:
    assert fault(**changes) is expected


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": ["smarthost"]},
        {"aud": ["smarthost"], "azp": "another"},
        {"aud": ["another", "smarthost"], "azp": "smarthost"},
        {"aud": ["another", "smarthost"], "is_access_token": True},
        {"exp": NOW - LEEWAY_SECONDS + 1},
        {"exp": NOW + 0.5},
        {"exp": 1e300},
        {"nbf": NOW + LEEWAY_SECONDS, "iat": NOW + LEEWAY_SECONDS},
        {"iat": ...},
        {"email_verified": True},
        {"email_verified": "true"},
    ],
)
def test_what_is_allowed_is_taken(changes: dict[str, Any]) -> None:
    assert said(**changes).email == "anna@example.com"


def test_an_audience_that_is_a_part_of_a_name_is_none() -> None:
    assert fault(other(audience="smart"), aud="smarthost") is Fault.AUDIENCE


def test_an_e_mail_address_has_one_form() -> None:
    assert said(email="Anna@EXAMPLE.com").email.endswith("@example.com")


def test_another_claim_may_have_the_address_and_is_not_what_is_verified() -> None:
    issuer = other(email_claim="upn")
    assert said(issuer, upn="eve@example.com", email_verified=False).email == "eve@example.com"
    assert fault(issuer) is Fault.NO_EMAIL


@pytest.mark.parametrize(
    ("claim", "expected"),
    [
        ("first", ("first",)),
        (["first", "second"], ("first", "second")),
        ([["first"], 1, None, "second"], ("second",)),
        ({"first": True}, ()),
        (True, ()),
        (..., ()),
    ],
)
def test_a_token_is_for_the_portals_that_it_names(claim: object, expected: object) -> None:
    assert said(other(portal_claim="portal"), portal=claim).portals == expected


@pytest.mark.parametrize(
    ("name", "claims", "is_one"),
    [
        ("groups", {"groups": ["staff", "mail"]}, True),
        ("groups", {"groups": "mail"}, True),
        ("groups", {"groups": "mail staff"}, False),
        ("groups", {"groups": ["Mail"]}, False),
        ("groups", {"groups": {"mail": True}}, False),
        ("groups", {}, False),
        ("realm_access.roles", {"realm_access": {"roles": ["mail"]}}, True),
        ("realm_access.roles", {"realm_access": {"roles": []}}, False),
        ("realm_access.roles", {"realm_access": "mail"}, False),
        ("realm_access.roles", {"realm_access": ["mail"]}, False),
        ("https://app.example.com/roles", {"https://app.example.com/roles": ["mail"]}, True),
        ("a.b", {"a.b": "other", "a": {"b": "mail"}}, False),
    ],
)
def test_an_administrator_is_said_to_be_one(
    name: str, claims: dict[str, Any], is_one: bool
) -> None:
    assert said(other(administrators=(name, "mail")), **claims).administrator is is_one


@given(st.dictionaries(st.sampled_from([*GOOD, "nbf", "azp", "a", "cnf"]), JSON))
def test_whatever_a_token_says_it_is_taken_or_refused(claims: dict[str, Any]) -> None:
    issuer = other(portal_claim="a.b", administrators=("a", "b"))
    for given_claims in (claims, GOOD | claims):
        with contextlib.suppress(TokenRefusedError):
            read_claims(given_claims, issuer, now=NOW, is_access_token=False)
