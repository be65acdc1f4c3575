"""The keys of a real HTTPS provider: when it is asked, and what holds while it is not there."""

import asyncio

import pytest
import structlog.testing

from smarthost.identity.key_cache import (
    BETWEEN_SECONDS,
    GOOD_FOR_SECONDS,
    LARGEST_ANSWER,
    RENEWED_AFTER_SECONDS,
)
from smarthost.identity.model import IssuerUnavailableError
from tests.http_servers import Answering, Received, dribble, hang_up, say_nothing, status
from tests.identity.conftest import MakeSource, Source
from tests.oauth2_provider import answer, page
from tests.openid_provider import DISCOVERY, KEYS, rsa_key

ONCE = [DISCOVERY, KEYS]


async def test_nothing_is_asked_before_there_is_a_token(source: Source) -> None:
    assert source.server.connections == 0
    assert await source.has()
    assert source.provider.asked == ONCE
    assert all("authorization" not in one.headers for one in source.server.received)


async def test_keys_are_kept_for_an_hour_and_renewed_while_nobody_waits(source: Source) -> None:
    assert await source.has()
    source.clock.advance(RENEWED_AFTER_SECONDS)
    assert await source.has()
    assert source.provider.asked == ONCE
    source.clock.advance(1)
    assert await source.has()
    assert source.provider.asked == ONCE, "the answer did not wait for it"
    await source.settled()
    assert source.provider.asked == ONCE * 2


async def test_many_who_come_at_once_share_one_request(source: Source) -> None:
    assert all(await asyncio.gather(*(source.has() for _ in range(50))))
    assert source.provider.asked == ONCE


async def test_who_gives_up_waiting_ends_it_for_nobody_else(source: Source) -> None:
    impatient = asyncio.create_task(source.has())
    patient = asyncio.create_task(source.has())
    await asyncio.sleep(0)
    impatient.cancel()
    assert await patient


async def test_a_new_key_is_found_at_once_and_an_old_one_goes(source: Source) -> None:
    assert await source.has()
    source.clock.advance(BETWEEN_SECONDS)
    source.provider.keys = {"second": rsa_key(3)}
    assert await source.has("second")
    assert not await source.has("first")
    assert source.provider.asked == ONCE * 2


async def test_an_unknown_key_is_asked_for_once_a_minute_however_many_come(source: Source) -> None:
    for minute in range(1, 4):
        found = await asyncio.gather(*(source.has(f"unknown-{one}") for one in range(20)))
        assert not any(found)
        assert source.provider.asked == ONCE * minute
        source.clock.advance(BETWEEN_SECONDS - 0.1)
        assert not await source.has("unknown")
        assert source.provider.asked == ONCE * minute
        source.clock.advance(0.1)


async def test_keys_are_good_for_a_day_without_their_provider(source: Source) -> None:
    assert await source.has()
    for path in ONCE:
        source.provider.instead[path] = hang_up
    source.clock.advance(GOOD_FOR_SECONDS)
    assert await source.has()
    await source.settled()
    assert await source.has()
    source.clock.advance(BETWEEN_SECONDS)
    with pytest.raises(IssuerUnavailableError, match="cannot be reached"):
        await source.has()
    source.provider.instead.clear()
    with pytest.raises(IssuerUnavailableError):
        await source.has()  # it was asked within this minute
    source.clock.advance(BETWEEN_SECONDS)
    assert await source.has()


async def test_a_failure_leaves_the_keys_that_there_are(source: Source) -> None:
    assert await source.has()
    source.provider.published = {"keys": []}
    source.clock.advance(RENEWED_AFTER_SECONDS + 1)
    with structlog.testing.capture_logs() as logged:
        assert await source.has()
        await source.settled()
    assert await source.has()
    (line,) = [line for line in logged if line["log_level"] == "warning"]
    assert line["reason"] == "It has no key that could be used here."
    assert line["issuer"] == source.provider.issuer


async def test_a_clock_that_is_set_ends_no_keys(source: Source) -> None:
    assert await source.has()
    source.clock._now += 10 * 365 * 86_400 * 1_000_000
    assert await source.has()
    assert source.provider.asked == ONCE


@pytest.mark.parametrize("path", ONCE)
@pytest.mark.parametrize(
    "misbehaving",
    [
        hang_up,
        page(200, b"x" * 10_000_000),
        page(200, b" " * LARGEST_ANSWER + b"{}"),
        page(200, b"{}", "application/json", "Content-Encoding: gzip"),
        status("302 Found", "Location: /elsewhere"),
        status("307 Temporary Redirect", "Location: http://127.0.0.1/"),
        status("404 Not Found"),
        answer(200, []),
        b"nonsense\r\n\r\n",
    ],
    ids=["hangs up", "10 MB", "too long", "gzip", "redirect", "to http", "404", "list", "no HTTP"],
)  # fmt: skip
async def test_a_provider_that_misbehaves_gives_no_keys(
    source: Source, path: str, misbehaving: bytes
) -> None:
    source.provider.instead[path] = misbehaving
    with pytest.raises(IssuerUnavailableError):
        await source.has()
    assert source.provider.asked == ONCE[: ONCE.index(path) + 1]


@pytest.mark.parametrize(
    "described",
    [
        {"issuer": "https://evil.example"},
        {"jwks_uri": "http://login.example.com/keys"},
        {"jwks_uri": "https://user@login.example.com/keys"},
        {"jwks_uri": "https://login.example.com:99999/keys"},
        {"jwks_uri": "https:// /"},
    ],
)
async def test_a_description_that_is_wrong_leads_nowhere(
    source: Source, described: dict[str, object]
) -> None:
    source.provider.described = described
    with pytest.raises(IssuerUnavailableError):
        await source.has()
    assert source.provider.asked == [DISCOVERY]


@pytest.mark.parametrize("slow", [say_nothing, dribble], ids=["silent", "drop by drop"])
async def test_a_provider_that_is_slow_is_not_waited_for(
    make_source: MakeSource, slow: Answering
) -> None:
    async with make_source(0.2) as source:
        source.provider.instead[DISCOVERY] = slow
        async with asyncio.timeout(5):
            with pytest.raises(IssuerUnavailableError):
                await source.has()


async def test_a_certificate_that_proves_nothing_is_not_believed(make_source: MakeSource) -> None:
    async with make_source(host="another.example.com") as source:
        with pytest.raises(IssuerUnavailableError):
            await source.has()
        assert source.provider.asked == []


async def test_closing_ends_what_is_asked(source: Source) -> None:
    reached = asyncio.Event()

    async def silent(request: Received, writer: asyncio.StreamWriter) -> None:
        reached.set()
        await say_nothing(request, writer)

    source.provider.instead[DISCOVERY] = silent
    waiting = asyncio.create_task(source.has())
    async with asyncio.timeout(5):
        await reached.wait()
        await source.keys.close()
        with pytest.raises(asyncio.CancelledError):
            await waiting
