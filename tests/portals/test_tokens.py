import hashlib
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smarthost.portals.tokens import LONGEST_TOKEN, Token, TokenKind, new_token, parse_token
from smarthost.secret import Secret

ID = "019b76da-a800-7649-ac82-d937f2ad75a5"
SECRET = "Abcdefghijklmnopqrstuvwxyz0123456789-_ABCDE"
TEXT = f"sh_{ID}_{SECRET}"


@given(st.sampled_from(TokenKind), st.uuids().map(str), st.binary(min_size=32, max_size=32))
def test_a_new_token_is_read_back(kind: TokenKind, token_id: str, octets: bytes) -> None:
    token = new_token(kind, token_id, lambda _: octets)
    text = token.text().reveal()
    assert len(text) == 83 <= LONGEST_TOKEN
    parsed = parse_token(text)
    assert parsed == token
    assert parsed.matches(token.hash())
    assert text.endswith(token.postfix())
    assert len(token.postfix()) == 4


def test_its_form_is_the_contracts() -> None:
    parsed = parse_token(TEXT)
    assert parsed == Token(kind=TokenKind.API_KEY, id=ID, secret=Secret(SECRET))
    for letters, kind in (("ss", TokenKind.SESSION), ("sl", TokenKind.SIGN_IN_LINK)):
        parsed = parse_token(f"{letters}_{ID}_{SECRET}")
        assert parsed == Token(kind=kind, id=ID, secret=Secret(SECRET))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sh",
        TEXT[:-1],
        f"{TEXT}x",
        f" {TEXT}",
        f"{TEXT}\n",
        f"{TEXT[:-1]}\n",
        TEXT.replace("sh_", "SH_"),
        TEXT.replace("sh_", "sx_"),
        TEXT.replace("sh_", "sh-"),
        f"sh_{ID.upper()}_{SECRET}",
        f"sh_{ID.replace('-', '')}----_{SECRET}",
        f"sh_{{{ID[2:]}}}_{SECRET}",
        f"sh_{ID}-{SECRET}",
        f"sh_{'0' * 36}_{SECRET}",
        f"sh_{ID}_{SECRET[:-1]}ü",
        f"sh_{ID[:-1]}٣_{SECRET}",
        "x" * 83,
        "x" * 10_000_000,
        f"Bearer {TEXT}",
    ],
)
def test_anything_else_is_no_token(text: str) -> None:
    assert parse_token(text) is None


@given(st.text(max_size=300))
def test_no_text_upsets_it(text: str) -> None:
    assert parse_token(text) is None


@given(st.integers(0, len(TEXT) - 1), st.characters())
def test_a_token_with_a_letter_changed_is_another_or_none(place: int, letter: str) -> None:
    changed = f"{TEXT[:place]}{letter}{TEXT[place + 1 :]}"
    parsed = parse_token(changed)
    if parsed is not None:
        assert parsed.text().reveal() == changed
        assert str(uuid.UUID(parsed.id)) == parsed.id


def test_only_a_hash_is_stored_and_only_its_own_secret_matches() -> None:
    token = new_token(TokenKind.API_KEY, ID)
    assert token.hash() == hashlib.sha256(token.secret.reveal().encode()).digest()
    assert token.matches(token.hash())
    assert not token.matches(new_token(TokenKind.API_KEY, ID).hash())
    assert not token.matches(bytes(32))
    assert not token.matches(b"")


def test_a_token_does_not_show_its_secret() -> None:
    token = new_token(TokenKind.API_KEY, ID)
    assert token.secret.reveal() not in f"{token!r} {token.text()!r} {token.text()}"


def test_secrets_are_256_random_bits() -> None:
    made = {new_token(TokenKind.API_KEY, ID).secret.reveal() for _ in range(1000)}
    assert len(made) == 1000
    asked: list[int] = []

    def octets(size: int) -> bytes:
        asked.append(size)
        return bytes(size)

    new_token(TokenKind.SESSION, ID, octets)
    assert asked == [32]
