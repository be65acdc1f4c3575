"""Tokens of a real HTTPS provider: which are taken, and as whom."""

import base64
import hashlib
import hmac
import json
from typing import Any

import jwt
import pytest
import structlog.testing
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from smarthost.identity.model import LONGEST_TOKEN, Fault, IssuerUnavailableError
from smarthost.portals.model import Role
from tests.http_servers import status
from tests.identity.conftest import BY, World
from tests.openid_provider import (
    AUDIENCE,
    DISCOVERY,
    KEYS,
    Key,
    curve_key,
    edwards_key,
    jwk,
    rsa_key,
)


def encoded(value: object) -> str:
    octets = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


ALGORITHMS: list[tuple[str, Key]] = [
    *[(name, rsa_key()) for name in ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")],
    ("ES256", curve_key(ec.SECP256R1)),
    ("ES384", curve_key(ec.SECP384R1)),
    ("EdDSA", edwards_key()),
]


async def test_a_token_is_its_user_s_by_each_algorithm(world: World) -> None:
    world.provider.keys = {f"{name} key": key for name, key in ALGORITHMS}
    for name, _ in ALGORITHMS:
        user = await world.user(world.provider.token(kid=f"{name} key", algorithm=name))
        assert (user.email, user.role) == ("admin@example.com", Role.ADMINISTRATOR)


async def test_id_tokens_and_access_tokens_are_taken(world: World) -> None:
    for typ in ("JWT", "jwt", None, "application/jwt", "at+jwt", "AT+JWT"):
        user = await world.user(world.provider.token(headers={"typ": typ}))
        assert user.email == "admin@example.com"


async def test_other_kinds_of_tokens_are_not(world: World) -> None:
    for typ in ("logout+jwt", "secevent+jwt", "dpop+jwt", "JWE", "x"):
        assert await world.fault(world.provider.token(headers={"typ": typ})) is Fault.KIND


async def test_an_access_token_may_be_for_several_audiences(world: World) -> None:
    aud = ["account", AUDIENCE]
    access = world.provider.token(aud=aud, azp="webapp", headers={"typ": "at+jwt"})
    assert (await world.user(access)).email == "admin@example.com"
    assert await world.fault(world.provider.token(aud=aud)) is Fault.AUTHORIZED_PARTY


async def test_every_claim_is_looked_at(world: World) -> None:
    token = world.provider.token
    now = world.source.clock.now() // 1_000_000
    assert await world.fault(token(iss="https://evil.example")) is Fault.ISSUER
    assert await world.fault(token(iss=None)) is Fault.ISSUER
    assert await world.fault(token(aud="another")) is Fault.AUDIENCE
    assert await world.fault(token(aud=None)) is Fault.MALFORMED
    assert await world.fault(token(exp=now - 60)) is Fault.EXPIRED
    assert await world.fault(token(exp=None)) is Fault.MALFORMED
    assert await world.fault(token(nbf=now + 61)) is Fault.NOT_YET
    assert await world.fault(token(iat=now + 61)) is Fault.NOT_YET
    assert await world.fault(token(cnf={"jkt": "x"})) is Fault.BOUND
    assert await world.fault(token(email_verified=False)) is Fault.EMAIL_UNVERIFIED


async def test_a_token_is_over_a_minute_after_its_end(world: World) -> None:
    token = world.provider.token()
    world.source.clock.advance(359)
    await world.user(token)
    world.source.clock.advance(1)
    assert await world.fault(token) is Fault.EXPIRED


NO_TOKENS = [
    "",
    ".",
    "..",
    "a.b.c",
    "eyJhbGciOiJSUzI1NiJ9.e30",
    "eyJhbGciOiJSUzI1NiJ9.e30.",
    "eyJhbGciOiJSUzI1NiJ9.W10.x",
    f"{encoded([])}.{encoded({})}.x",
    f"{encoded({})}.{encoded({})}.AAAA",
    f"{encoded({'alg': 5})}.{encoded({})}.AAAA",
    f"{encoded({'alg': 'RS256', 'kid': 5})}.{encoded({})}.AAAA",
    f"{encoded({'alg': 'RS256', 'typ': []})}.{encoded({})}.AAAA",
    f"{encoded({'alg': 'RS256', 'b64': False})}.{encoded({})}.AAAA",
    f"{encoded({'alg': 'RS256', 'b64': False})}..AAAA",
    f"{encoded(b'[' * 5000)}.{encoded({})}.AAAA",
    f"{encoded({'alg': 'RS256'})}.{encoded(b'[' * 5000)}.AAAA",
    f"{encoded({'alg': 'RS256'})}.{encoded(b'{')}.AAAA",
    f"{encoded({'alg': 'RS256'})}.{encoded(bytes([255]))}.AAAA",
    f"{encoded({'alg': 'RS256', 'x': 10**4000})}.{encoded({'iat': 10**1000})}.AAAA",
    "é.é.é",
    "a.b.c.d.e",
]


async def test_what_is_no_signed_token_is_refused(world: World) -> None:
    for text in NO_TOKENS:
        assert await world.fault(text) in (Fault.MALFORMED, Fault.ISSUER), text
    assert world.provider.asked == [], "and the issuer has no work with it"


async def test_a_token_has_a_greatest_length(world: World) -> None:
    short = world.provider.token()
    longest = world.provider.token(sub="x" * (LONGEST_TOKEN * 3 // 4 - len(short)))
    await world.user(longest)
    assert await world.fault("." * (LONGEST_TOKEN + 1)) is Fault.TOO_LONG


# --- forged


async def test_an_algorithm_without_a_key_pair_is_refused(world: World) -> None:
    """The old trick: the public key as the secret of an HMAC."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    public = rsa_key().public_key()
    encodings = (serialization.Encoding.PEM, serialization.Encoding.DER)
    secrets = [b"", *(public.public_bytes(one, form) for one in encodings)]
    for algorithm in ("none", "None", "NONE", "", "HS256", "HS384", "HS512"):
        header = encoded({"alg": algorithm, "kid": "first"})
        signed = f"{header}.{encoded(world.provider.claims())}"
        for secret in secrets:
            signature = hmac.new(secret, signed.encode(), hashlib.sha256).digest()
            for end in (encoded(signature), ""):
                assert await world.fault(f"{signed}.{end}") is Fault.ALGORITHM


async def test_an_algorithm_of_no_list_is_refused(world: World) -> None:
    for algorithm in ("ES512", "ES256K", "Ed448", "RSA1_5", "rs256", "RS256 "):
        text = f"{encoded({'alg': algorithm})}.{encoded(world.provider.claims())}.AAAA"
        assert await world.fault(text) is Fault.ALGORITHM


async def test_a_key_of_somebody_else_signs_nothing(world: World) -> None:
    assert await world.fault(world.provider.token(key=rsa_key(3))) is Fault.SIGNATURE


async def test_no_octet_of_a_signed_token_can_be_changed(world: World) -> None:
    header, claims, signature = world.provider.token("user@example.com").split(".")
    other = encoded(world.provider.claims("admin@example.com"))
    for changed in (
        f"{header}.{other}.{signature}",
        f"{encoded({'alg': 'RS512', 'kid': 'first'})}.{claims}.{signature}",
        f"{header}.{claims}.{encoded(b'x' * 256)}",
        f"{header}.{claims}.",
        f"{header}.{claims}.{signature[:-6]}",
    ):
        assert await world.fault(changed) is Fault.SIGNATURE


async def test_a_kid_is_a_name_and_nothing_else(world: World) -> None:
    evil = "https://evil.example/key"
    for kid in ("../first", "first\0", "' OR 1=1 --", evil, "/dev/null", "x" * 5000, ""):
        forged = world.provider.token(key=rsa_key(3), kid=None, headers={"kid": kid})
        assert await world.fault(forged) is Fault.UNKNOWN_KEY
    assert world.provider.asked == [DISCOVERY, KEYS]


async def test_no_key_is_taken_from_the_token_itself(world: World) -> None:
    theirs = jwk(rsa_key(3), "first")
    evil = world.source.server.url("/evil", host="login.example.com")
    hints: dict[str, Any] = {"jwk": theirs, "jku": evil, "x5u": evil, "x5c": ["AAAA"]}
    for name, hint in hints.items():
        forged = world.provider.token(key=rsa_key(3), headers={name: hint})
        assert await world.fault(forged) is Fault.SIGNATURE
        user = await world.user(world.provider.token(headers={name: hint}))
        assert user.email == "admin@example.com"
    assert "/evil" not in world.provider.asked


async def test_what_is_critical_and_not_understood_is_refused(world: World) -> None:
    text = world.provider.token(headers={"crit": ["exp"], "exp": 1})
    assert await world.fault(text) in (Fault.MALFORMED, Fault.KIND)
    detached = jwt.encode(
        world.provider.claims(), rsa_key(), "RS256", headers={"kid": "first", "b64": False}
    )
    assert await world.fault(detached) in (Fault.MALFORMED, Fault.KIND)


async def test_a_token_may_leave_its_key_unnamed_where_there_is_one(world: World) -> None:
    await world.user(world.provider.token(kid=None))


async def test_it_may_not_where_there_are_two(world: World) -> None:
    world.provider.keys["second"] = rsa_key(3)
    assert await world.fault(world.provider.token(kid=None)) is Fault.UNKNOWN_KEY


async def test_a_token_of_another_issuer_makes_nobody_ask_for_keys(world: World) -> None:
    for issuer in ("https://evil.example", world.provider.issuer + "/", None, 5, [""]):
        assert await world.fault(world.provider.token(iss=issuer, kid="first")) is Fault.ISSUER
    assert world.provider.asked == []


# --- who it is


async def test_the_address_is_found_in_the_form_of_the_store(world: World) -> None:
    assert (await world.user(world.provider.token("Admin@EXAMPLE.com"))).role == "administrator"


async def test_nobody_is_made_by_a_token(world: World) -> None:
    for email in ("nobody@example.com", "\u00e4dmin@example.com", "a@example.com"):
        assert await world.fault(world.provider.token(email)) is Fault.UNKNOWN_USER
    assert len(await world.users.users(world.portal.id)) == 2


async def test_a_user_who_was_removed_is_nobody_at_once(world: World) -> None:
    token = world.provider.token("user@example.com")
    await world.users.remove_user(await world.user(token), BY)
    assert await world.fault(token) is Fault.UNKNOWN_USER


async def test_a_token_is_for_the_portals_that_it_names_alone(world: World) -> None:
    await world.users.create_user(
        world.other.id, "admin@example.com", Role.ADMINISTRATOR, None, BY
    )
    claim = "portals"
    first = world.provider.token(portals="first")
    user = await world.user(first, portal_claim=claim)
    assert user.portal_id == world.portal.id
    assert await world.fault(first, world.other, portal_claim=claim) is Fault.PORTAL
    both = world.provider.token(portals=["first", "second"])
    assert (await world.user(both, world.other, portal_claim=claim)).portal_id == world.other.id
    for none in (world.provider.token(), world.provider.token(portals=[])):
        assert await world.fault(none, portal_claim=claim) is Fault.PORTAL


async def test_the_claim_of_administrators_narrows_and_never_widens(world: World) -> None:
    for email, group, role in (
        ("admin@example.com", "mail", Role.ADMINISTRATOR),
        ("admin@example.com", "staff", Role.USER),
        ("user@example.com", "mail", Role.USER),
        ("user@example.com", "staff", Role.USER),
    ):
        token = world.provider.token(email, groups=[group])
        user = await world.user(token, administrators=("groups", "mail"))
        assert (user.email, user.role) == (email, role)


# --- what is said


async def test_each_refusal_says_why_and_shows_nothing_of_the_token(world: World) -> None:
    with structlog.testing.capture_logs() as logged:
        assert await world.fault(world.provider.token(aud="another", sub="canary")) == "audience"
    assert {"event": "bearer token refused", "log_level": "debug", "portal": "first"} | {
        "reason": "audience"
    } in logged
    assert "canary" not in str(logged)
    assert "eyJ" not in str(logged)


async def test_without_any_key_nobody_can_say_whether_a_token_is_good(world: World) -> None:
    world.provider.instead[KEYS] = status("503 Unavailable")
    with pytest.raises(IssuerUnavailableError):
        await world.user(world.provider.token())
