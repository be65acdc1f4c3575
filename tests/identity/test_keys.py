import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448
from hypothesis import given
from hypothesis import strategies as st

from smarthost.http_client.model import Answer
from smarthost.identity.keys import (
    ALGORITHMS,
    BadIssuerError,
    discovery_url,
    read_discovery,
    read_keys,
    the_one,
)
from tests.openid_provider import Key, curve_key, edwards_key, jwk, rsa_key

ISSUER = "https://login.example.com/"
RSA = {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}


def answered(value: object, status: int = 200) -> Answer:
    return Answer(status=status, body=json.dumps(value).encode())


def keys_of(*published: object) -> Any:
    return read_keys(answered({"keys": published}))


def refusal(*published: object) -> str:
    with pytest.raises(BadIssuerError) as caught:
        keys_of(*published)
    return str(caught.value)


def test_the_algorithms_are_asymmetric_and_those_that_are_documented() -> None:
    assert RSA | {"ES256", "ES384", "EdDSA"} == ALGORITHMS


@pytest.mark.parametrize(
    ("key", "algorithms"),
    [
        (rsa_key(), RSA),
        (curve_key(ec.SECP256R1), {"ES256"}),
        (curve_key(ec.SECP384R1), {"ES384"}),
        (edwards_key(), {"EdDSA"}),
    ],
)
def test_a_key_is_for_the_algorithms_of_its_kind(key: Key, algorithms: set[str]) -> None:
    (found,) = keys_of(jwk(key, "one"))
    assert (found.id, found.algorithms) == ("one", algorithms)


def test_a_key_that_names_its_algorithm_is_for_that_one() -> None:
    (found,) = keys_of(jwk(rsa_key(), None, alg="PS256", key_ops=["verify"]))
    assert (found.id, found.algorithms) == (None, {"PS256"})


@pytest.mark.parametrize(
    "odd",
    [
        jwk(rsa_key(), "x", use="enc"),
        jwk(rsa_key(), "x", key_ops=["encrypt"]),
        jwk(rsa_key(), "x", alg="RSA-OAEP"),
        jwk(rsa_key(), "x", alg="HS256"),
        jwk(rsa_key(), "x", alg="ES256"),
        jwk(rsa_key(), 5),  # type: ignore[arg-type]
        jwk(rsa_key(), "x", n="!"),
        jwk(rsa_key(), "x", n=5),
        jwk(rsa_key(), "x", n=""),
        jwk(rsa_key(), "x", e="AA"),
        jwk(rsa_key(), "x", n=None),
        jwk(rsa_key(), "x", crv="P-256"),
        jwk(rsa_key(2, 1024), "x"),
        jwk(curve_key(ec.SECP256R1), "x", crv="P-384"),
        jwk(curve_key(ec.SECP256R1), "x", y="AA"),
        jwk(curve_key(ec.SECP256R1), "x", x=jwk(curve_key(ec.SECP256R1), "x")["y"]),
        jwk(curve_key(ec.SECP521R1), "x"),
        jwk(curve_key(ec.SECP256K1), "x"),
        jwk(ed448.Ed448PrivateKey.generate(), "x"),
        jwk(edwards_key(), "x", x="AAAA"),
        {"kty": "oct", "k": "AAAA", "alg": "HS256"},
        {"kty": "none"},
        {},
        [],
        None,
        5,
    ],
)
def test_a_key_of_no_use_is_passed_over_and_spoils_no_other(odd: object) -> None:
    (found,) = keys_of(odd, jwk(rsa_key(), "good"))
    assert found.id == "good"
    assert "no key" in refusal(odd)


def test_a_private_key_that_is_published_only_checks_signatures() -> None:
    numbers = {"d": "AQAB", "p": "AQAB", "q": "AQAB", "dp": "AQAB", "dq": "AQAB", "qi": "AQAB"}
    (found,) = keys_of(jwk(rsa_key(), "one") | numbers)
    assert found.public == rsa_key().public_key()


def test_so_many_keys_are_read_and_no_more() -> None:
    assert len(keys_of(*[jwk(edwards_key(), str(number)) for number in range(300)])) == 100


def test_a_key_is_found_by_its_id_and_the_algorithm() -> None:
    keys = keys_of(jwk(rsa_key(), "same"), jwk(edwards_key(), "same"), jwk(rsa_key(3), "other"))
    assert the_one(keys, "EdDSA", "same") is keys[1]
    assert the_one(keys, "RS256", "same") is keys[0]
    assert the_one(keys, "EdDSA", None) is keys[1], "there is one of this kind"
    assert the_one(keys, "RS256", None) is None, "there are two"
    assert the_one(keys, "ES256", "same") is None
    assert the_one(keys, "RS256", "Same") is None
    twice = keys_of(jwk(rsa_key(), "same"), jwk(rsa_key(3), "same"))
    assert the_one(twice, "RS256", "same") is None, "which one is meant?"


@pytest.mark.parametrize(
    ("issuer", "url"),
    [
        ("https://a.example", "https://a.example/.well-known/openid-configuration"),
        ("https://a.example/", "https://a.example/.well-known/openid-configuration"),
        ("https://a.example/b/", "https://a.example/b/.well-known/openid-configuration"),
    ],
)
def test_the_description_is_below_the_issuer(issuer: str, url: str) -> None:
    assert discovery_url(issuer) == url


def test_a_description_says_where_the_keys_are() -> None:
    said = {"issuer": ISSUER, "jwks_uri": "https://keys.example.net/v1", "more": [1]}
    assert read_discovery(answered(said), ISSUER) == "https://keys.example.net/v1"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (answered({}, 404), "status 404"),
        (answered({}, 500), "status 500"),
        (Answer(status=200, body=b"<html>"), "something else"),
        (Answer(status=200, body=b"\xff"), "something else"),
        (Answer(status=200, body=b"[" * 100_000), "something else"),
        (answered([]), "something else"),
        (answered({"issuer": ISSUER}), "something else"),
        (answered({"issuer": ISSUER, "jwks_uri": 5}), "something else"),
        (answered({"issuer": ISSUER[:-1], "jwks_uri": "https://x"}), "another issuer"),
        (answered({"issuer": "https://evil.example", "jwks_uri": "https://x"}), "another issuer"),
        (answered({"issuer": ISSUER, "jwks_uri": "http://login.example.com/k"}), "over https"),
        (answered({"issuer": ISSUER, "jwks_uri": "file:///etc/passwd"}), "over https"),
    ],
)
def test_a_description_that_is_wrong_is_not_believed(answer: Answer, words: str) -> None:
    with pytest.raises(BadIssuerError, match=words):
        read_discovery(answer, ISSUER)


@given(st.binary() | st.builds(lambda value: json.dumps({"keys": [value]}).encode(), st.text()))
def test_whatever_is_published_it_is_keys_or_none(body: bytes) -> None:
    for read in (read_keys, lambda answer: read_discovery(answer, ISSUER)):
        with pytest.raises(BadIssuerError):
            read(Answer(status=200, body=body))
