import json

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from smarthost.secret import Secret
from smarthost.smtp_settings.binding.service_account import LONGEST_FILE, read_service_account
from tests.smtp_settings.binding.bindings import EMAIL, TOKEN_URL, account_file, private_key


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, password: bytes = b"") -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(password)
        if password
        else serialization.NoEncryption(),
    ).decode()


def test_googles_file_says_whose_it_is_and_where_it_goes() -> None:
    account = read_service_account(account_file())
    assert (account.client_email, account.token_uri) == (EMAIL, TOKEN_URL)
    assert account.private_key.reveal() == private_key().strip()


def test_a_key_alone_says_neither() -> None:
    account = read_service_account(Secret(f"\n{private_key()}\n"))
    assert (account.client_email, account.token_uri) == (None, None)


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (Secret("hello"), "neither the JSON file"),
        (Secret("[" * 9000), "neither the JSON file"),
        (Secret("\ud800"), "neither the JSON file"),
        (Secret(json.dumps({"client_email": EMAIL, "private_key": 1})), "neither the JSON file"),
        (account_file(private_key="c4nary"), "cannot be read"),
        (
            Secret("-----BEGIN PRIVATE KEY-----\nc4nary\n-----END PRIVATE KEY-----"),
            "cannot be read",
        ),
        (account_file(private_key="x" * LONGEST_FILE), "at most"),
    ],
)
def test_what_is_none_is_refused_without_a_word_of_it(typed: Secret, words: str) -> None:
    with pytest.raises(ValueError, match=words) as refused:
        read_service_account(typed)
    assert "c4nary" not in str(refused.value)
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


def test_a_key_that_is_too_weak_is_refused() -> None:
    with pytest.raises(ValueError, match="2048 to 4096"):
        read_service_account(Secret(private_key(1024)))


def test_a_key_of_another_kind_or_under_a_password_is_refused() -> None:
    with pytest.raises(ValueError, match="must be RSA"):
        read_service_account(Secret(pem(ec.generate_private_key(ec.SECP256R1()))))
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    with pytest.raises(ValueError, match="not encrypted"):
        read_service_account(Secret(pem(key, b"password")))
