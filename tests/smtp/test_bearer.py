"""Logins with a token: the octets of the specifications' own examples, and relays' refusals."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smarthost.clock import SystemClock
from smarthost.secret import Secret
from smarthost.smtp.bearer import Bearer, OAuthBearer, XOAuth2, choose_bearer
from smarthost.smtp.client import Client
from smarthost.smtp.errors import ProtocolError, RefusedError
from smarthost.smtp.sasl import SaslError
from tests.smtp.relays import Peer, Script, relay

USER = "someuser@example.com"
TOKEN = Secret("ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg")
LONG = Secret("t" * 2000)
BOTH = ["XOAUTH2", "OAUTHBEARER"]


def chosen(*offered: str, token: Secret = TOKEN) -> Bearer | None:
    return choose_bearer(offered, user_name=USER, token=token, host="server.example.com", port=587)


def test_xoauth2_is_what_google_and_microsoft_document() -> None:
    exchange = chosen("XOAUTH2")
    assert exchange is not None
    expected = f"user={USER}\x01auth=Bearer {TOKEN.reveal()}\x01\x01"
    assert exchange.initial() == expected.encode()


def test_oauthbearer_is_the_rfcs_example() -> None:
    exchange = chosen("OAUTHBEARER")
    assert exchange is not None
    # RFC 7628, section 4.1, with this host and port.
    expected = (
        f"n,a={USER},\x01host=server.example.com\x01port=587\x01"
        f"auth=Bearer {TOKEN.reveal()}\x01\x01"
    )
    assert exchange.initial() == expected.encode()


def test_a_user_name_is_escaped_as_gs2_asks() -> None:
    exchange = OAuthBearer("a=b,c@example.com", TOKEN, host="h", port=1)
    assert exchange.initial().startswith(b"n,a=a=3Db=2Cc@example.com,\x01")


@pytest.mark.parametrize(
    ("offered", "mechanism"),
    [
        (["OAUTHBEARER", "XOAUTH2"], "XOAUTH2"),
        (["PLAIN", "OAUTHBEARER"], "OAUTHBEARER"),
        (["PLAIN", "LOGIN", "CRAM-MD5", "NTLM", "SCRAM-SHA-256"], None),
        ([], None),
    ],
)
def test_a_token_is_shown_by_a_mechanism_for_tokens_or_not_at_all(
    offered: list[str], mechanism: str | None
) -> None:
    exchange = chosen(*offered)
    assert (exchange and exchange.mechanism) == mechanism


@pytest.mark.parametrize("place", ["user", "token"])
def test_nothing_ends_the_field_that_it_is_in(place: str) -> None:
    odd = "a\x01auth=Bearer other"
    exchange = XOAuth2(
        odd if place == "user" else USER, Secret(odd) if place == "token" else TOKEN
    )
    with pytest.raises(ValueError, match="control character"):
        exchange.initial()


@pytest.mark.parametrize(
    ("challenge", "refusal"),
    [
        (
            b'{"status":"401","schemes":"bearer mac","scope":"https://mail.google.com/"}',
            "status 401, scope https://mail.google.com/",
        ),
        (b'{"status":400}', "status 400"),
        (b'{"scope":"a\\u001b[31m"}', "scope a\ufffd[31m"),
        (b'{"status":"' + b"4" * 5000 + b'"}', "status " + "4" * 100),
        (b"{}", None),
        (b"no JSON", None),
        (b"\xff\xfe", None),
        (b"[" * 100_000, None),
        (b"", None),
    ],
)
def test_a_refusal_is_read_as_far_as_it_can_be(challenge: bytes, refusal: str | None) -> None:
    for exchange, answer in ((XOAuth2(USER, TOKEN), b""), (_oauthbearer(), b"\x01")):
        assert exchange.respond(challenge) == answer
        assert exchange.refusal == refusal


def test_a_refusal_that_repeats_the_token_is_read_without_it() -> None:
    token = Secret("t" * 300)
    exchange = XOAuth2(USER, token)
    exchange.respond(json.dumps({"status": "401", "scope": f"not {token.reveal()}"}).encode())
    assert exchange.refusal == "status 401, scope not [hidden]"


def _oauthbearer() -> OAuthBearer:
    return OAuthBearer(USER, TOKEN, host="server.example.com", port=587)


@given(st.binary(max_size=500))
def test_whatever_a_relay_sends_has_an_answer(challenge: bytes) -> None:
    exchange = XOAuth2(USER, TOKEN)
    assert exchange.respond(challenge) == b""
    assert exchange.refusal is None or exchange.refusal.isprintable()


def test_a_relay_may_refuse_once() -> None:
    exchange = XOAuth2(USER, TOKEN)
    exchange.respond(b"{}")
    with pytest.raises(SaslError):
        exchange.respond(b"{}")
    with pytest.raises(SaslError):
        exchange.check_done()


def said(message: bytes) -> str:
    return base64.b64encode(message).decode()


def hearing(token: Secret, mechanism: str, *, then: Script) -> Script:
    """A relay that reads the token, at once or when it has asked for it."""

    async def script(peer: Peer) -> None:
        await peer.greet(f"AUTH {mechanism}")
        exchange = chosen(mechanism, token=token)
        assert exchange is not None
        initial = said(exchange.initial())
        line = await peer.hear(f"AUTH {mechanism}")
        if not line:
            await peer.say("334 ")
            line = " " + await peer.hear()
        assert line == f" {initial}"
        await then(peer)

    return script


async def logged_in(port: int, mechanism: str, token: Secret) -> tuple[Bearer, Client]:
    clock = SystemClock()
    client = await Client.connect("127.0.0.1", port, clock=clock, deadline=clock.monotonic() + 10)
    await client.greeting()
    await client.ehlo("app.example.org")
    exchange = chosen(*client.extensions.auth, token=token)
    assert exchange is not None
    try:
        await client.authenticate(exchange)
    finally:
        client.close()
    return exchange, client


@pytest.mark.parametrize("mechanism", BOTH)
@pytest.mark.parametrize("token", [TOKEN, LONG], ids=["short", "long"])
async def test_a_good_token_logs_in_however_long_it_is(mechanism: str, token: Secret) -> None:
    async def accept(peer: Peer) -> None:
        await peer.say("235 2.7.0 Accepted")

    async with relay(hearing(token, mechanism, then=accept)) as running:
        await logged_in(running.port, mechanism, token)


@pytest.mark.parametrize("mechanism", BOTH)
async def test_a_refused_token_is_told_with_its_reason_and_not_repeated(mechanism: str) -> None:
    async def refuse(peer: Peer) -> None:
        await peer.say("334 " + said(b'{"status":"400","scope":"https://mail.google.com/"}'))
        assert await peer.hear() == ("" if mechanism == "XOAUTH2" else "AQ==")
        await peer.say(f"535 5.7.8 No: {TOKEN.reveal()}")

    async with relay(hearing(TOKEN, mechanism, then=refuse)) as running:
        with pytest.raises(RefusedError) as caught:
            await logged_in(running.port, mechanism, TOKEN)

    assert caught.value.reply.text == "535 5.7.8 No: [hidden]"


async def test_a_relay_that_refuses_and_accepts_is_not_believed() -> None:
    async def confuse(peer: Peer) -> None:
        await peer.say("334 " + said(b'{"status":"400"}'))
        await peer.hear()
        await peer.say("235 2.7.0 Accepted")

    async with relay(hearing(TOKEN, "XOAUTH2", then=confuse)) as running:
        with pytest.raises(ProtocolError):
            await logged_in(running.port, "XOAUTH2", TOKEN)
