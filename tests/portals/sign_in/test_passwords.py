import asyncio
import time

import pytest

from smarthost.portals.sign_in.passwords import (
    LONGEST_PASSWORD,
    SHORTEST_PASSWORD,
    PasswordError,
    Passwords,
    check_password,
)
from smarthost.secret import Secret


@pytest.mark.parametrize("text", ["correct horse", "", "ü\U0001f511", "x" * 1000, "a\0b"])
async def test_a_password_is_known_again_and_no_other(passwords: Passwords, text: str) -> None:
    stored = await passwords.hash(Secret(text))
    assert await passwords.verify(stored, Secret(text))
    assert not await passwords.verify(stored, Secret(f"{text}x"))
    assert not await passwords.verify(stored, Secret(f" {text}"))


async def test_the_hash_is_argon2id_with_the_smallest_profile_of_owasp(
    passwords: Passwords,
) -> None:
    one, other = [await passwords.hash(Secret("same")) for _ in range(2)]
    assert one.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert one != other, "salted"


@pytest.mark.parametrize("stored", [None, "", "$argon2id$damaged", "plain"])
@pytest.mark.parametrize("typed", ["", "plain", "anything"])
async def test_where_no_hash_is_stored_no_password_is_right(
    passwords: Passwords, stored: str | None, typed: str
) -> None:
    assert not await passwords.verify(stored, Secret(typed))


async def test_an_unknown_user_takes_as_long_as_a_known_one(passwords: Passwords) -> None:
    stored = await passwords.hash(Secret("known"))
    await passwords.verify(None, Secret("wrong"))

    async def fastest(of: str | None) -> float:
        times = []
        for _ in range(5):
            started = time.perf_counter()
            await passwords.verify(of, Secret("wrong"))
            times.append(time.perf_counter() - started)
        return min(times)

    unknown, known = await fastest(None), await fastest(stored)
    assert unknown > known / 3


async def test_the_event_loop_goes_on_while_a_password_is_hashed(passwords: Passwords) -> None:
    hashing = asyncio.ensure_future(passwords.hash(Secret("slow")))
    turns = 0
    while not hashing.done() and turns < 100_000:
        turns += 1
        await asyncio.sleep(0)
    await hashing
    assert turns > 1


@pytest.mark.parametrize(
    ("length", "right"),
    [(0, False), (SHORTEST_PASSWORD - 1, False), (SHORTEST_PASSWORD, True),
     (LONGEST_PASSWORD, True), (LONGEST_PASSWORD + 1, False)],
)  # fmt: skip
def test_a_new_password_has_8_to_1000_characters(length: int, right: bool) -> None:
    password = Secret("ü" * length)
    if right:
        check_password(password)
        return
    with pytest.raises(PasswordError, match="has 8 to 1000 characters"):
        check_password(password)
