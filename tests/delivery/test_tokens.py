"""Tokens of a real HTTPS server that plays a provider of OAuth2."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import trustme

from smarthost.clock import MICROSECONDS, Clock, SystemClock
from smarthost.delivery.bearer_token import NoToken, NoTokenError, OAuth2Login
from smarthost.delivery.relay import RelaySettings
from smarthost.delivery.tokens import LARGEST_ANSWER, TokenNews, Tokens
from smarthost.http_client.client import HttpClient
from smarthost.secret import Secret
from smarthost.smtp.egress import Policy
from smarthost.smtp_settings.oauth2 import Grant, OAuth2, OAuth2Secrets
from tests.clocks import START, FakeClock
from tests.oauth2_provider import ACCOUNT, CLIENT_ID, CLIENT_SECRET, SCOPE, Provider, page
from tests.webhooks.receivers import Names, client_context, receiver, server_context

HOST = "login.example.com"
ALL_PORTS = range(1, 65536)


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@dataclass
class Kept:
    """What was written down, and what the next request is made with."""

    news: list[TokenNews] = field(default_factory=list)
    fails: bool = False

    async def __call__(self, _settings: RelaySettings, news: TokenNews) -> None:
        if self.fails:
            raise NoTokenError(NoToken.UNAVAILABLE, "The token could not be written down.")
        self.news.append(news)


@dataclass
class Running:
    provider: Provider
    tokens: Tokens
    kept: Kept

    def settings(
        self, grant: Grant = Grant.CLIENT_CREDENTIALS, revision: int = 7, **changed: Any
    ) -> RelaySettings:
        account = grant is Grant.SERVICE_ACCOUNT
        known: Mapping[str, Any] = {
            "client_id": ACCOUNT if account else CLIENT_ID,
            "token_url": self.provider.token_url,
            "scope": SCOPE,
            "client_secret": CLIENT_SECRET,
        }
        said = {**known, **changed}
        secrets = {
            name: Secret(said.pop(name))
            for name in ("client_secret", "refresh_token", "private_key")
            if name in said
        }
        return RelaySettings(
            portal_id="portal-1",
            revision=revision,
            host="relay.example.com",
            port=587,
            enable_ssl=True,
            enable_auth=True,
            user_name="notify@example.com",
            oauth2=OAuth2Login(
                oauth2=OAuth2(grant=grant, **said), secrets=OAuth2Secrets(**secrets)
            ),
            helo_name="app.example.org",
        )

    async def token(self, settings: RelaySettings) -> str:
        return (await self.tokens.token(settings)).reveal()

    async def fails(self, settings: RelaySettings) -> NoTokenError:
        with pytest.raises(NoTokenError) as caught:
            await self.tokens.token(settings)
        return caught.value


@asynccontextmanager
async def running(
    ca: trustme.CA,
    *,
    clock: Clock | None = None,
    policy: Policy | None = None,
    tls: ssl.SSLContext | None = None,
    seconds: float = 5.0,
    **behaving: Any,
) -> AsyncIterator[Running]:
    clock = clock or FakeClock()
    provider = Provider(clock=clock, **behaving)
    async with receiver(provider, tls=tls or server_context(ca, HOST)) as server:
        provider.token_url = server.url("/token", host=HOST)
        http = HttpClient(
            policy or Policy("any"),
            Names(["127.0.0.1"]),
            lambda: client_context(ca),
            deadline_seconds=seconds,
            largest_body=LARGEST_ANSWER,
            ports=ALL_PORTS,
        )
        kept = Kept()
        tokens = Tokens(http, clock, kept)
        try:
            yield Running(provider, tokens, kept)
        finally:
            await tokens.close()


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
    async with running(ca, tls=server_context(trustme.CA(), HOST)) as at:
        found = await at.fails(at.settings())

    assert found.why is NoToken.UNAVAILABLE
    assert at.provider.received == []


async def test_no_proxy_of_the_environment_is_used(
    ca: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    async with running(ca) as at:
        assert at.provider.is_good(await at.token(at.settings()))
