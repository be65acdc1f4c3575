"""What a sender asks to be told is passed on to relays that offer DSN, and to no other."""

from dataclasses import replace

import pytest

from smarthost.delivery.outcome import Outcome, Result
from smarthost.mail.dsn import Dsn, Notify, RecipientDsn, Return
from tests.delivery.attempts import attempted, envelope, say_goodbye, settings
from tests.smtp.relays import Peer, relay

SUCCESS = RecipientDsn(
    notify=frozenset({Notify.SUCCESS, Notify.FAILURE}),
    original_recipient="rfc822;old+name@example.net",
)
DSN = Dsn(
    ret=Return.FULL,
    envelope_id="order 17",
    recipients={"a@example.net": SUCCESS, "b@example.net": RecipientDsn()},
)
PLAIN = ["<from@example.org>", "<a@example.net>", "<b@example.net>"]


async def handed_over(dsn: Dsn | None, *keywords: str) -> tuple[list[str], list[Outcome]]:
    """Return what followed MAIL FROM: and RCPT TO:, and the outcomes of both recipients."""
    heard: list[str] = []

    async def script(peer: Peer) -> None:
        await peer.greet(*keywords)
        for beginning in ("MAIL FROM:", "RCPT TO:", "RCPT TO:"):
            heard.append(await peer.hear(beginning))
            await peer.say("250 Ok")
        await peer.hear("DATA")
        await peer.say("354 Go on")
        await peer.hear_message()
        await peer.say("250 Kept")
        await say_goodbye(peer)

    async with relay(script) as running:
        message = replace(envelope("a@example.net", "b@example.net"), dsn=dsn)
        outcomes = await attempted(settings(running.port), message)
    assert [outcome.result for outcome in outcomes] == [Result.ACCEPTED] * 2
    return heard, outcomes


@pytest.mark.parametrize("keywords", [("DSN",), ("DSN", "PIPELINING")])
async def test_a_relay_that_offers_dsn_is_told_what_the_sender_asks(
    keywords: tuple[str, ...],
) -> None:
    heard, outcomes = await handed_over(DSN, *keywords)
    assert heard == [
        "<from@example.org> RET=FULL ENVID=order+2017",
        "<a@example.net> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;old+2Bname@example.net",
        "<b@example.net>",
    ]
    assert [outcome.relayed_untold for outcome in outcomes] == [False, False]


async def test_a_relay_without_dsn_is_told_nothing_and_success_is_left_to_us() -> None:
    heard, outcomes = await handed_over(DSN, "PIPELINING")
    assert heard == PLAIN
    assert [outcome.relayed_untold for outcome in outcomes] == [True, False]


@pytest.mark.parametrize("dsn", [None, Dsn()])
@pytest.mark.parametrize("keywords", [("DSN",), ()])
async def test_where_nothing_is_asked_nothing_is_told(
    dsn: Dsn | None, keywords: tuple[str, ...]
) -> None:
    heard, outcomes = await handed_over(dsn, *keywords)
    assert heard == PLAIN
    assert [outcome.relayed_untold for outcome in outcomes] == [False, False]
