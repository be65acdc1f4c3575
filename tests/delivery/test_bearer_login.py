"""Attempts that log in with a token: real TLS, a relay that asks the provider, real refusals."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trustme

from smarthost.delivery.outcome import Code, Outcome, Result, Step
from smarthost.delivery.relay import RelaySettings
from smarthost.smtp_settings.oauth2 import Grant
from tests.clocks import FakeClock
from tests.delivery.attempts import Told, attempted, envelope, pool, say_goodbye, take_message
from tests.delivery.bearers import Running, running
from tests.oauth2_provider import Provider
from tests.smtp.relays import Peer, Relay, relay, server_context


@dataclass
class BearerRelay:
    """Takes mail of those whose token the provider knows; does what `refuses` says first."""

    provider: Provider
    ca: trustme.CA
    mechanisms: str = "PLAIN LOGIN XOAUTH2"
    refuses: int = 0
    """How many good tokens it refuses all the same."""
    refusal: str = "535 5.7.8 Error: authentication failed"
    repeats: bool = False
    """Whether it says the token again wherever it can."""
    repeats_at_mail: bool = False
    """Whether it says what was said behind AUTH again, in place of taking a message."""
    messages: int = 1
    shown: list[str] = field(default_factory=list)
    login: str = ""

    async def __call__(self, peer: Peer) -> None:
        await peer.greet("STARTTLS")
        await peer.hear("STARTTLS")
        await peer.say("220 2.0.0 Go on")
        await peer.start_tls(server_context(self.ca))
        await peer.answer_ehlo(f"AUTH {self.mechanisms}")
        if "BEARER" not in self.mechanisms and "XOAUTH2" not in self.mechanisms:
            await say_goodbye(peer)
            return
        while not await self._logs_in(peer):
            if self.refusal.startswith("421"):
                return
        if self.repeats_at_mail:
            await peer.hear("MAIL FROM:")
            await peer.say(f"550 5.7.1 You said {self.login}")
        else:
            for _ in range(self.messages):
                await take_message(peer)
        await say_goodbye(peer)

    async def _logs_in(self, peer: Peer) -> bool:
        command = await peer.hear()
        if command == "QUIT":
            await peer.say("221 2.0.0 Bye")
            raise ConnectionResetError
        assert command.startswith("AUTH ")
        if command.count(" ") == 1:
            await peer.say("334 ")
            command = await peer.hear()
        self.login = command.rpartition(" ")[2]
        message = base64.b64decode(self.login).decode()
        token = message.rpartition("auth=Bearer ")[2].rstrip("\x01")
        self.shown.append(token)
        if self.provider.is_good(token) and len(self.shown) > self.refuses:
            await peer.say("235 2.7.0 Accepted")
            return True
        challenge = json.dumps({"status": "401", "schemes": "bearer", "scope": "mail"}).encode()
        await peer.say("334 " + base64.b64encode(challenge).decode())
        assert await peer.hear() in ("", "AQ==")
        await peer.say(self.refusal + (f" {token[:150]}" if self.repeats else ""))
        return False


async def attempt(
    at: Running, to: RelaySettings, told: Told | None = None, *, messages: int = 1
) -> Sequence[Outcome]:
    async with pool(tokens=at.tokens) as connections:
        return await attempted(
            to,
            *(envelope() for _ in range(messages)),
            connections=connections,
            told=told,
        )


def everything_heard(running_relay: Relay) -> bytes:
    return b"".join(line for peer in running_relay.peers for line in peer.lines)


@pytest.mark.parametrize("mechanisms", ["PLAIN LOGIN XOAUTH2", "OAUTHBEARER SCRAM-SHA-256"])
@pytest.mark.parametrize(
    "grant", [Grant.CLIENT_CREDENTIALS, Grant.REFRESH_TOKEN, Grant.SERVICE_ACCOUNT]
)
async def test_mail_goes_out_with_a_token_of_each_grant(
    ca: trustme.CA, ca_file: Path, mechanisms: str, grant: Grant
) -> None:
    told = Told()
    async with running(ca, ca_file=ca_file) as at:
        script = BearerRelay(at.provider, ca, mechanisms=mechanisms)
        secrets: Any = {
            Grant.REFRESH_TOKEN: {"refresh_token": at.provider.new_refresh_token()},
            Grant.SERVICE_ACCOUNT: {"private_key": at.provider.new_account_key()},
        }.get(grant, {})
        async with relay(script) as server:
            [outcome] = await attempt(at, at.settings(grant, 7, server.port, **secrets), told)

    assert outcome.result is Result.ACCEPTED
    assert told.seen(Step.AUTHENTICATE)["mechanism"] in mechanisms.split()


async def test_a_token_that_is_void_before_its_time_is_renewed_once(
    ca: trustme.CA, ca_file: Path
) -> None:
    async with running(ca, ca_file=ca_file) as at:
        script = BearerRelay(at.provider, ca)
        async with relay(script) as server:
            to = at.settings(port=server.port)
            await at.token(to)
            at.provider.revoke_access()
            [outcome] = await attempt(at, to)

    assert outcome.result is Result.ACCEPTED
    assert len(set(script.shown)) == 2


async def test_a_second_refusal_stands_and_is_told_with_its_reason(
    ca: trustme.CA, ca_file: Path
) -> None:
    async with running(ca, ca_file=ca_file) as at:
        script = BearerRelay(at.provider, ca, refuses=99)
        async with relay(script) as server:
            [outcome] = await attempt(at, at.settings(port=server.port))

    assert (outcome.code, outcome.permanent) == (Code.LOGIN_REFUSED, True)
    assert outcome.reply == "535 5.7.8 Error: authentication failed (status 401, scope mail)"
    assert len(set(script.shown)) == len(script.shown) == 2


async def test_a_passing_refusal_renews_nothing(ca: trustme.CA, ca_file: Path) -> None:
    async with running(ca, ca_file=ca_file) as at:
        script = BearerRelay(at.provider, ca, refuses=99, refusal="454 4.7.0 Try later")
        async with relay(script) as server:
            [outcome] = await attempt(at, at.settings(port=server.port))

    assert outcome.code is Code.TEMPORARILY_REFUSED
    assert len(script.shown) == 1
    assert len(at.provider.received) == 1


async def test_a_relay_that_hangs_up_on_a_refusal_gets_a_new_token_the_next_time(
    ca: trustme.CA, ca_file: Path
) -> None:
    async with running(ca, ca_file=ca_file) as at:
        script = BearerRelay(at.provider, ca, refuses=1, refusal="535 5.7.8 No")
        script.refusal = "421 4.7.0 Bye"
        async with relay(script) as server:
            await attempt(at, at.settings(port=server.port))
            [outcome] = await attempt(at, at.settings(port=server.port))

    assert outcome.result is Result.ACCEPTED


async def test_the_token_is_never_told_though_the_relay_repeats_it(
    ca: trustme.CA, ca_file: Path
) -> None:
    async with running(ca, ca_file=ca_file) as at:
        at.provider.token_octets = 60
        script = BearerRelay(at.provider, ca, refuses=99, repeats=True)
        told = Told()
        async with relay(script) as server:
            [outcome] = await attempt(at, at.settings(port=server.port), told)

    assert outcome.reply is not None
    assert "[hidden]" in outcome.reply
    assert not any(token in f"{outcome}{told.events}" for token in script.shown)


@pytest.mark.parametrize("mechanisms", ["XOAUTH2", "OAUTHBEARER"])
async def test_a_relay_that_repeats_the_login_later_is_not_repeated(
    ca: trustme.CA, ca_file: Path, mechanisms: str
) -> None:
    async with running(ca, ca_file=ca_file) as at:
        at.provider.token_octets = 24
        script = BearerRelay(at.provider, ca, mechanisms=mechanisms, repeats_at_mail=True)
        async with relay(script) as server:
            [outcome] = await attempt(at, at.settings(port=server.port))

    assert outcome.reply == "550 5.7.1 You said [hidden]"


@pytest.mark.parametrize("mechanisms", ["PLAIN LOGIN", "NTLM CRAM-MD5 SCRAM-SHA-256"])
async def test_a_relay_that_takes_no_tokens_is_shown_none(
    ca: trustme.CA, ca_file: Path, mechanisms: str
) -> None:
    async with running(ca, ca_file=ca_file) as at:
        script = BearerRelay(at.provider, ca, mechanisms=mechanisms)
        async with relay(script) as server:
            [outcome] = await attempt(at, at.settings(port=server.port))
        heard = everything_heard(server)

    assert outcome.code is Code.LOGIN_NOT_OFFERED
    assert b"AUTH" not in heard


@pytest.mark.parametrize(
    ("grant", "secrets", "code", "said"),
    [
        (
            Grant.REFRESH_TOKEN,
            {"refresh_token": "1//revoked"},
            Code.OAUTH2_CONSENT_NEEDED,
            "invalid_grant: Token has been expired or revoked.",
        ),
        (
            Grant.AUTHORIZATION_CODE,
            {},
            Code.OAUTH2_CONSENT_NEEDED,
            "Nobody has signed in yet.",
        ),
        (
            Grant.CLIENT_CREDENTIALS,
            {"client_secret": "an old one"},
            Code.OAUTH2_REFUSED,
            "invalid_client: The secret is wrong or over.",
        ),
    ],
)
async def test_without_a_token_nothing_is_shown_and_the_service_is_quoted(
    ca: trustme.CA, ca_file: Path, grant: Grant, secrets: dict[str, str], code: Code, said: str
) -> None:
    async with running(ca, ca_file=ca_file) as at:
        script = BearerRelay(at.provider, ca)
        async with relay(script) as server:
            to = at.settings(grant, 7, server.port, **secrets)
            [outcome] = await attempt(at, to)

    assert (outcome.result, outcome.step) == (Result.DEFERRED, Step.AUTHENTICATE)
    assert (outcome.code, outcome.permanent, outcome.reply) == (code, True, said)
    assert script.shown == []


async def test_a_service_that_is_away_may_be_there_later(ca: trustme.CA, ca_file: Path) -> None:
    async with running(ca, ca_file=ca_file, instead=b"HTTP/1.1 503 No\r\n\r\n") as at:
        script = BearerRelay(at.provider, ca)
        async with relay(script) as server:
            [outcome] = await attempt(at, at.settings(port=server.port))

    assert (outcome.code, outcome.permanent) == (Code.OAUTH2_UNAVAILABLE, False)


async def test_a_token_that_ends_while_mail_goes_out_is_renewed_for_the_next_session(
    ca: trustme.CA, ca_file: Path
) -> None:
    clock = FakeClock()
    async with running(ca, clock=clock, ca_file=ca_file) as at:
        script = BearerRelay(at.provider, ca, messages=2)
        async with relay(script) as server:
            to = at.settings(port=server.port)
            first = await attempt(at, to, messages=2)
            clock.advance(3601)
            second = await attempt(at, to, messages=2)

    assert {one.result for one in (*first, *second)} == {Result.ACCEPTED}
    assert len(set(script.shown)) == 2


async def test_a_token_is_for_verified_tls_alone(ca: trustme.CA) -> None:
    async with running(ca) as at:
        with pytest.raises(ValueError, match="verified TLS"):
            msgspec.structs.replace(at.settings(), enable_ssl=False)
