"""Tokens of a real HTTPS server that plays a provider of OAuth2."""

import asyncio
from typing import Any

import pytest
import trustme

from smarthost.clock import MICROSECONDS, SystemClock
from smarthost.delivery.bearer_token import NoToken
from smarthost.smtp.egress import Policy
from smarthost.smtp_settings.oauth2 import Grant
from tests.authority import showing
from tests.clocks import START, FakeClock
from tests.delivery.bearers import ALL_PORTS, HOST, running
from tests.oauth2_provider import page


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.mark.parametrize(
    "grant", [Grant.CLIENT_CREDENTIALS, Grant.REFRESH_TOKEN, Grant.SERVICE_ACCOUNT]
)
async def test_each_grant_gets_a_token_that_is_good(ca: trustme.CA, grant: Grant) -> None:
    async with running(ca) as at:
        secrets: Any = {
            Grant.REFRESH_TOKEN: {"refresh_token": at.provider.new_refresh_token()},
            Grant.SERVICE_ACCOUNT: {"private_key": at.provider.new_account_key()},
        }.get(grant, {})
        assert at.provider.is_good(await at.token(at.settings(grant, **secrets)))

    assert [news.expires_at for news in at.kept.news] == [START + 3600 * MICROSECONDS]


async def test_a_token_is_kept_and_renewed_five_minutes_before_its_end(ca: trustme.CA) -> None:
    clock = FakeClock()
    async with running(ca, clock=clock) as at:
        first = await at.token(at.settings())
        clock.advance(3299)
        assert await at.token(at.settings()) == first
        clock.advance(2)
        second = await at.token(at.settings())

    assert second != first
    assert len(at.provider.received) == 2


@pytest.mark.parametrize(("expires_in", "good_for"), [(60, 30), (None, 150)])
async def test_a_token_of_a_short_life_is_renewed_after_half_of_it(
    ca: trustme.CA, expires_in: float | None, good_for: int
) -> None:
    clock = FakeClock()
    async with running(ca, clock=clock, expires_in=expires_in) as at:
        first = await at.token(at.settings())
        clock.advance(good_for - 1)
        assert await at.token(at.settings()) == first
        clock.advance(2)
        assert await at.token(at.settings()) != first


async def test_a_clock_that_is_set_ends_no_token(ca: trustme.CA) -> None:
    clock = FakeClock()
    async with running(ca, clock=clock) as at:
        first = await at.token(at.settings())
        clock._now += 10 * 365 * 86_400 * MICROSECONDS
        assert await at.token(at.settings()) == first


async def test_many_who_ask_at_once_share_one_request(ca: trustme.CA) -> None:
    async with running(ca) as at:
        found = await asyncio.gather(*(at.token(at.settings()) for _ in range(50)))

    assert len(set(found)) == 1
    assert len(at.provider.received) == 1


async def test_who_gives_up_waiting_ends_it_for_nobody_else(ca: trustme.CA) -> None:
    async with running(ca) as at:
        impatient = asyncio.create_task(at.token(at.settings()))
        patient = asyncio.create_task(at.token(at.settings()))
        await asyncio.sleep(0)
        impatient.cancel()
        assert at.provider.is_good(await patient)


async def test_each_revision_has_a_token_of_its_own(ca: trustme.CA) -> None:
    async with running(ca) as at:
        assert await at.token(at.settings()) != await at.token(at.settings(revision=8))


async def test_a_token_that_the_relay_refused_is_fetched_anew_once(ca: trustme.CA) -> None:
    async with running(ca) as at:
        first = await at.tokens.token(at.settings())
        at.tokens.forget(at.settings(), first)
        second = await at.tokens.token(at.settings())
        at.tokens.forget(at.settings(), first)  # somebody who comes late with the old one
        assert await at.tokens.token(at.settings()) == second


async def test_a_refresh_token_that_is_good_once_is_shown_once_within_an_attempt(
    ca: trustme.CA,
) -> None:
    async with running(ca, rotates=True) as at:
        settings = at.settings(Grant.REFRESH_TOKEN, refresh_token=at.provider.new_refresh_token())
        first = await at.tokens.token(settings)
        at.tokens.forget(settings, first)
        second = await at.tokens.token(settings)

    assert first != second
    assert at.provider.refused == []


async def test_a_new_consent_leaves_no_token_of_the_one_before(ca: trustme.CA) -> None:
    async with running(ca) as at:
        first = await at.token(at.settings())
        at.tokens.forget_all("portal-2")
        assert await at.token(at.settings()) == first
        at.tokens.forget_all("portal-1")
        assert await at.token(at.settings()) != first


async def test_a_new_consent_leaves_no_token_that_was_asked_for_before_it(ca: trustme.CA) -> None:
    async with running(ca) as at:
        asked = asyncio.create_task(at.token(at.settings()))
        await asyncio.sleep(0)
        at.tokens.forget_all("portal-1")
        first = await asked
        assert await at.token(at.settings()) != first


async def test_an_orderly_stop_keeps_the_refresh_token_that_is_on_its_way(ca: trustme.CA) -> None:
    async with running(ca, rotates=True) as at:
        settings = at.settings(Grant.REFRESH_TOKEN, refresh_token=at.provider.new_refresh_token())
        asked = asyncio.create_task(at.tokens.token(settings))
        await asyncio.sleep(0)
        asked.cancel()  # as the attempt that waits for it is
        await at.tokens.close()

    assert {news.refresh.reveal() for news in at.kept.news if news.refresh} == (
        at.provider.refresh_tokens
    )


async def test_a_new_refresh_token_is_written_down_before_the_token_is_used(
    ca: trustme.CA,
) -> None:
    async with running(ca, rotates=True) as at:
        settings = at.settings(Grant.REFRESH_TOKEN, refresh_token=at.provider.new_refresh_token())
        await at.token(settings)
        [news] = at.kept.news
        assert news.refresh is not None
        assert {news.refresh.reveal()} == at.provider.refresh_tokens

        at.kept.fails = True
        later = at.settings(Grant.REFRESH_TOKEN, revision=8, refresh_token=news.refresh.reveal())
        assert (await at.fails(later)).why is NoToken.UNAVAILABLE


async def test_a_store_that_was_away_for_a_while_costs_no_refresh_token(ca: trustme.CA) -> None:
    async with running(ca, rotates=True) as at:
        settings = at.settings(Grant.REFRESH_TOKEN, refresh_token=at.provider.new_refresh_token())
        at.kept.fails = True
        for _ in range(2):
            assert (await at.fails(settings)).why is NoToken.UNAVAILABLE
        assert len(at.provider.received) == 1
        at.kept.fails = False
        assert at.provider.is_good(await at.token(settings))

    assert at.provider.refused == []


async def test_a_stop_tries_once_more_to_write_a_refresh_token_down(ca: trustme.CA) -> None:
    async with running(ca, rotates=True) as at:
        settings = at.settings(Grant.REFRESH_TOKEN, refresh_token=at.provider.new_refresh_token())
        at.kept.fails = True
        await at.fails(settings)
        at.kept.fails = False
        await at.tokens.close()

    assert [news.refresh.reveal() for news in at.kept.news if news.refresh] == list(
        at.provider.refresh_tokens
    )


async def test_a_consent_that_was_revoked_is_told_and_kept(ca: trustme.CA) -> None:
    async with running(ca) as at:
        gone = await at.fails(at.settings(Grant.REFRESH_TOKEN, refresh_token="1//revoked"))

    assert gone.why is NoToken.CONSENT_NEEDED
    assert gone.said == "invalid_grant: Token has been expired or revoked."
    [news] = at.kept.news
    assert (news.why, news.expires_at) == (NoToken.CONSENT_NEEDED, None)


async def test_a_clock_that_runs_ahead_is_told_by_the_provider(ca: trustme.CA) -> None:
    clock = FakeClock()
    async with running(ca, clock=clock) as at:
        at.provider.clock = FakeClock(START - 600 * MICROSECONDS)
        key = at.provider.new_account_key()
        early = await at.fails(at.settings(Grant.SERVICE_ACCOUNT, private_key=key))
        at.provider.clock = FakeClock(START - 30 * MICROSECONDS)
        assert at.provider.is_good(
            await at.token(at.settings(Grant.SERVICE_ACCOUNT, private_key=key))
        )

    assert early.said == "invalid_grant: Token must be a short-lived token."


async def test_a_wrong_audience_is_refused(ca: trustme.CA) -> None:
    async with running(ca) as at:
        settings = at.settings(Grant.SERVICE_ACCOUNT, private_key=at.provider.new_account_key())
        at.provider.token_url = "https://other.example.com/token"
        assert (await at.fails(settings)).why is NoToken.REFUSED


async def _greet(writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 relay.example.com ESMTP\r\n")
    writer.close()


@pytest.mark.parametrize(
    ("instead", "said"),
    [
        (page(200, b"<html>Please sign in</html>"), "an answer that is no token"),
        (page(200, b"x" * 10_000_000), "too long"),
        (page(302, b"", "text/html", "Location: http://127.0.0.1:25/"), "points elsewhere"),
        (page(307, b"", "text/html", "Location: https://169.254.169.254/"), "points elsewhere"),
        (page(503, b"Try later"), "status 503"),
        (_greet, "broke off"),
    ],
    ids=["html", "10 MB", "redirect inside", "redirect to metadata", "503", "not http"],
)
async def test_an_end_point_that_is_none_may_pass(ca: trustme.CA, instead: Any, said: str) -> None:
    async with running(ca, instead=instead) as at:
        found = await at.fails(at.settings())

    assert found.why is NoToken.UNAVAILABLE
    assert said in found.said


async def test_an_end_point_that_never_answers_costs_its_deadline(ca: trustme.CA) -> None:
    async def say_nothing(_writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(30)

    async with running(ca, clock=SystemClock(), seconds=0.2, instead=say_nothing) as at:
        found = await at.fails(at.settings())

    assert (found.why, found.said) == (NoToken.UNAVAILABLE, "It did not answer in time.")


async def test_a_policy_holds_for_end_points_too(ca: trustme.CA) -> None:
    async with running(ca, policy=Policy("public", frozenset(ALL_PORTS))) as at:
        found = await at.fails(at.settings())

    assert found.said == "This installation may not connect to it."
    assert at.provider.received == []


async def test_a_certificate_that_proves_nothing_gets_no_secret(ca: trustme.CA) -> None:
    async with running(ca, tls=showing(trustme.CA().issue_cert(HOST))) as at:
        found = await at.fails(at.settings())

    assert found.why is NoToken.UNAVAILABLE
    assert at.provider.received == []


async def test_no_proxy_of_the_environment_is_used(
    ca: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    async with running(ca) as at:
        assert at.provider.is_good(await at.token(at.settings()))
