"""One attempt against relays that do what a script says."""

import asyncio
import base64
from collections.abc import Mapping

import pytest

from smarthost.clock import SystemClock
from smarthost.delivery.attempt import attempt
from smarthost.delivery.outcome import Code, Result, Step, StepState
from smarthost.smtp.egress import Policy
from tests.delivery.attempts import (
    CONTENT,
    ON_THE_WIRE,
    PASSWORD,
    SENDER,
    TO,
    Told,
    attempted,
    envelope,
    pool,
    say_goodbye,
    settings,
    take_message,
)
from tests.names import Names
from tests.smtp.relays import HOST, Peer, relay

SIGNED = (
    b"MIME-Version: 1.0\r\n"
    b'Content-Type: multipart/signed; boundary="x"\r\n\r\n'
    b"--x\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"Content-Transfer-Encoding: 8bit\r\n\r\n"
    b"\xc3\xbc\r\n--x\r\nContent-Type: application/pkcs7-signature\r\n\r\n"
    b"sign\r\n--x--\r\n"
)


async def test_a_message_is_handed_over_and_every_step_is_told() -> None:
    messages = []

    async def script(peer: Peer) -> None:
        await peer.greet("SIZE 1000000")
        messages.append(await take_message(peer))
        await say_goodbye(peer)

    told = Told()
    async with relay(script) as running:
        [outcome] = await attempted(settings(running.port), told=told)

    assert messages == [ON_THE_WIRE]
    assert outcome.result is Result.ACCEPTED
    assert (outcome.recipient, outcome.step, outcome.code) == (TO, Step.DATA, None)
    assert outcome.reply == "250 2.0.0 Queued as 4711"
    assert (outcome.address, outcome.tls, outcome.revision) == ("127.0.0.1", None, 7)
    assert outcome.warnings == (Code.NOT_ENCRYPTED,)
    assert not outcome.permanent
    assert told.ends == [
        "resolve ok",
        "connect ok",
        "greeting ok",
        "ehlo ok",
        "tls warning",
        "authenticate skipped",
        "sender ok",
        "recipient ok",
        "data ok",
    ]
    assert told.seen(Step.RESOLVE) == {"addresses": ["127.0.0.1"]}
    assert told.seen(Step.CONNECT) == {"address": "127.0.0.1", "port": running.port}
    assert told.seen(Step.GREETING) == {"banner": f"220 {HOST} ESMTP"}
    assert told.seen(Step.EHLO) == {"extensions": [], "mechanisms": [], "sizeLimit": 1_000_000}
    assert told.seen(Step.TLS) == {"warnings": ["not_encrypted"]}
    assert told.seen(Step.DATA) == {"octets": len(CONTENT), "reply": "250 2.0.0 Queued as 4711"}


async def test_each_step_begins_before_it_ends() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await take_message(peer)

    told = Told()
    async with relay(script) as running:
        await attempted(settings(running.port), told=told)

    states = [(step, state) for step, state, _ in told.events]
    for step, state in states:
        if state not in {StepState.BEGIN, StepState.SKIPPED}:
            assert states[states.index((step, state)) - 1] == (step, StepState.BEGIN)


async def test_data_is_told_before_the_first_octet_of_the_message_leaves() -> None:
    peers: list[Peer] = []
    heard_at_data: list[bytes] = []

    async def script(peer: Peer) -> None:
        peers.append(peer)
        await peer.greet()
        await take_message(peer)

    async def report(step: Step, state: StepState, seen: Mapping[str, object]) -> None:
        if step is Step.DATA and state is StepState.BEGIN:
            await asyncio.sleep(0.05)  # had DATA been sent, the relay would have heard it
            heard_at_data.extend(peers[0].lines)

    async with relay(script) as running, pool() as connections:
        await attempt(
            settings(running.port),
            [envelope()],
            connections=connections,
            clock=SystemClock(),
            report=report,
            deadline_seconds=10,
        )

    assert heard_at_data[-1].startswith(b"RCPT TO")


async def test_a_report_that_objects_before_data_keeps_the_message_back() -> None:
    class ObjectionError(Exception):
        pass

    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.hear("MAIL FROM:")
        await peer.say("250 Ok")
        await peer.hear("RCPT TO:")
        await peer.say("250 Ok")
        await say_goodbye(peer)

    async def report(step: Step, state: StepState, seen: Mapping[str, object]) -> None:
        if step is Step.DATA:
            raise ObjectionError

    async with relay(script) as running, pool() as connections:
        with pytest.raises(ObjectionError):
            await attempt(
                settings(running.port),
                [envelope()],
                connections=connections,
                clock=SystemClock(),
                report=report,
                deadline_seconds=10,
            )


async def hear_group(peer: Peer, recipients: int = 1) -> None:
    await peer.greet("PIPELINING")
    for verb in ("MAIL", *["RCPT"] * recipients, "DATA"):
        await peer.hear(verb)


async def test_over_a_pipelining_relay_the_message_waits_for_data_to_be_told_as_well() -> None:
    async def script(peer: Peer) -> None:
        await hear_group(peer)
        await peer.say("250 Ok", "250 Ok", "354 Go on")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(peer.reader.read(1), 0.1)
        quiet.set()
        assert await peer.hear_message() == ON_THE_WIRE
        await peer.say("250 2.0.0 Queued")

    async def report(step: Step, state: StepState, seen: Mapping[str, object]) -> None:
        told.append(f"{step} {state}")
        if (step, state) == (Step.DATA, StepState.BEGIN):
            await quiet.wait()

    quiet = asyncio.Event()
    told: list[str] = []
    async with relay(script) as running, pool() as connections:
        [outcome] = await attempt(
            settings(running.port),
            [envelope()],
            connections=connections,
            clock=SystemClock(),
            report=report,
            deadline_seconds=10,
        )

    assert outcome.result is Result.ACCEPTED
    assert told[-6:] == [
        "sender begin",
        "sender ok",
        "recipient begin",
        "recipient ok",
        "data begin",
        "data ok",
    ]


async def test_over_a_pipelining_relay_an_objection_before_data_ends_the_session() -> None:
    class ObjectionError(Exception):
        pass

    async def script(peer: Peer) -> None:
        await hear_group(peer)
        await peer.say("250 Ok", "250 Ok", "354 Go on")
        assert await peer.is_left()

    async def report(step: Step, state: StepState, seen: Mapping[str, object]) -> None:
        if step is Step.DATA:
            raise ObjectionError

    async with relay(script) as running, pool(idle_seconds=60) as connections:
        with pytest.raises(ObjectionError):
            await attempt(
                settings(running.port),
                [envelope()],
                connections=connections,
                clock=SystemClock(),
                report=report,
                deadline_seconds=10,
            )


@pytest.mark.parametrize("to_data", ["554 5.5.1 No valid recipients", "354 Go on"])
@pytest.mark.parametrize("to_nothing", ["250 2.0.0 Queued", "554 5.5.1 No valid recipients"])
async def test_a_pipelined_message_for_nobody_is_delivered_to_nobody(
    to_data: str, to_nothing: str
) -> None:
    async def script(peer: Peer) -> None:
        await hear_group(peer, 2)
        await peer.say("250 Ok", "550 5.1.1 Unknown", "450 4.2.1 Later", to_data)
        if to_data.startswith("354"):
            assert await peer.hear_line() == b".\r\n"
            await peer.say(to_nothing)

    told = Told()
    async with relay(script) as running:
        to = envelope(TO, "b@example.net")
        outcomes = await attempted(settings(running.port), to, told=told)

    assert [(one.result, one.code, one.step) for one in outcomes] == [
        (Result.REFUSED, Code.RECIPIENT_REFUSED, Step.RECIPIENT),
        (Result.DEFERRED, Code.TEMPORARILY_REFUSED, Step.RECIPIENT),
    ]
    assert not any(one.in_doubt for one in outcomes)
    assert told.ends[-1] == "recipient failed"


async def test_a_sender_refused_in_a_group_refuses_all_and_the_session_goes_on() -> None:
    async def script(peer: Peer) -> None:
        await hear_group(peer)
        await peer.say("553 5.7.1 Not yours", "503 MAIL first", "503 MAIL first")
        for verb in ("MAIL", "RCPT", "DATA"):
            await peer.hear(verb)
        await peer.say("250 Ok", "250 Ok", "354 Go on")
        await peer.hear_message()
        await peer.say("250 2.0.0 Queued")
        await say_goodbye(peer)

    async with relay(script) as running:
        outcomes = await attempted(settings(running.port), envelope(), envelope())

    assert [one.result for one in outcomes] == [Result.REFUSED, Result.ACCEPTED]
    assert (outcomes[0].code, outcomes[0].step) == (Code.SENDER_REFUSED, Step.SENDER)


async def test_refusals_that_may_be_anothers_are_not_believed() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet("PIPELINING")
        for verb in ("MAIL", "RCPT", "RCPT", "DATA"):
            await peer.hear(verb)
        # A reply that belongs to nothing comes first; the refusal is the first recipient's.
        await peer.say("250 Late", "250 Ok", "550 5.1.1 Unknown", "250 Ok", "354 Go on")
        assert await peer.is_left()

    async with relay(script) as running:
        outcomes = await attempted(settings(running.port), envelope(TO, "b@example.net"))

    assert [(one.result, one.code) for one in outcomes] == [
        (Result.DEFERRED, Code.PROTOCOL_ERROR)
    ] * 2
    assert not any(one.in_doubt for one in outcomes)


async def test_a_421_in_the_middle_of_the_recipients_ends_it_for_those_that_were_taken() -> None:
    async def script(peer: Peer) -> None:
        await hear_group(peer, 3)
        await peer.say("250 Ok", "250 Ok", "421 4.3.2 Closing")
        assert await peer.is_left()

    everybody = [f"{name}@example.net" for name in "abc"]
    async with relay(script) as running:
        outcomes = await attempted(settings(running.port), envelope(*everybody))

    assert [(one.result, one.code, one.step) for one in outcomes] == [
        (Result.DEFERRED, Code.RELAY_UNAVAILABLE, Step.RECIPIENT)
    ] * 3


async def test_each_recipient_has_an_outcome_of_its_own() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet("PIPELINING")
        await peer.hear("MAIL FROM:")
        await peer.say("250 Ok")
        for answer in ("250 2.1.5 Ok", "450 4.2.1 Later", "550 5.1.1 Unknown", "250 2.1.5 Ok"):
            await peer.hear("RCPT TO:")
            await peer.say(answer)
        await peer.hear("DATA")
        await peer.say("354 Go on")
        await peer.hear_message()
        await peer.say("250 2.0.0 Queued")

    told = Told()
    everybody = [f"{name}@example.net" for name in "abcd"]
    async with relay(script) as running:
        outcomes = await attempted(settings(running.port), envelope(*everybody), told=told)

    assert [outcome.recipient for outcome in outcomes] == everybody
    assert [(outcome.result, outcome.code, outcome.step) for outcome in outcomes] == [
        (Result.ACCEPTED, None, Step.DATA),
        (Result.DEFERRED, Code.TEMPORARILY_REFUSED, Step.RECIPIENT),
        (Result.REFUSED, Code.RECIPIENT_REFUSED, Step.RECIPIENT),
        (Result.ACCEPTED, None, Step.DATA),
    ]
    assert "recipient warning" in told.ends


async def test_where_no_recipient_is_taken_no_data_is_sent() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.hear("MAIL FROM:")
        await peer.say("250 Ok")
        await peer.hear("RCPT TO:")
        await peer.say("550 5.1.1 Unknown")
        await say_goodbye(peer)

    told = Told()
    async with relay(script) as running:
        [outcome] = await attempted(settings(running.port), told=told)

    assert outcome.code is Code.RECIPIENT_REFUSED
    assert outcome.reply == "550 5.1.1 Unknown"
    assert told.ends[-1] == "recipient failed"


async def test_a_refused_sender_refuses_all_recipients() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.hear("MAIL FROM:")
        await peer.say("553 5.7.1 Not yours")
        await say_goodbye(peer)

    told = Told()
    async with relay(script) as running:
        outcomes = await attempted(
            settings(running.port), envelope(TO, "b@example.net"), told=told
        )

    assert [(one.result, one.code) for one in outcomes] == [
        (Result.REFUSED, Code.SENDER_REFUSED),
        (Result.REFUSED, Code.SENDER_REFUSED),
    ]
    assert told.ends[-1] == "sender failed"


async def test_a_sender_that_is_refused_behind_rcpt_is_the_senders_fault() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.hear("MAIL FROM:")
        await peer.say("250 Ok")
        await peer.hear("RCPT TO:")
        await peer.say(f"554 5.7.1 <{SENDER}>: Sender address rejected: Access denied")
        await say_goodbye(peer)

    async with relay(script) as running:
        [outcome] = await attempted(settings(running.port))

    assert outcome.code is Code.SENDER_REFUSED
    assert outcome.step is Step.RECIPIENT


async def test_a_refused_message_is_not_in_doubt() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.hear("MAIL FROM:")
        await peer.say("250 Ok")
        await peer.hear("RCPT TO:")
        await peer.say("250 Ok")
        await peer.hear("DATA")
        await peer.say("354 Go on")
        await peer.hear_message()
        await peer.say("554 5.7.1 Spam")
        await say_goodbye(peer)

    async with relay(script) as running:
        [outcome] = await attempted(settings(running.port))

    assert (outcome.result, outcome.code) == (Result.REFUSED, Code.MESSAGE_REFUSED)
    assert not outcome.in_doubt


@pytest.mark.parametrize("ending", ["hangs up", "is silent", "talks nonsense"])
async def test_a_message_without_an_answer_is_in_doubt_and_deferred(ending: str) -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.hear("MAIL FROM:")
        await peer.say("250 Ok")
        await peer.hear("RCPT TO:")
        await peer.say("250 Ok")
        await peer.hear("DATA")
        await peer.say("354 Go on")
        await peer.hear_message()
        if ending == "talks nonsense":
            await peer.say("Thank you")
        if ending != "hangs up":
            assert await peer.is_left()

    async with relay(script) as running:
        [outcome] = await attempted(settings(running.port), seconds=0.5)

    assert outcome.result is Result.DEFERRED
    assert outcome.step is Step.DATA
    assert outcome.in_doubt
    assert outcome.code in {Code.CONNECTION_CLOSED, Code.TIMED_OUT, Code.PROTOCOL_ERROR}


@pytest.mark.parametrize(
    "answer", ["", "250 Delivered", "what?", "354 Go on\r\n250 Delivered"], ids=repr
)
async def test_a_message_that_never_left_is_not_in_doubt(answer: str) -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        for verb in ("MAIL FROM:", "RCPT TO:"):
            await peer.hear(verb)
            await peer.say("250 Ok")
        await peer.hear("DATA")
        if answer:
            await peer.say(answer)
            assert await peer.is_left()

    async with relay(script) as running:
        [outcome] = await attempted(settings(running.port))

    assert (outcome.result, outcome.step) == (Result.DEFERRED, Step.DATA)
    assert outcome.code in {Code.CONNECTION_CLOSED, Code.PROTOCOL_ERROR}
    assert not outcome.in_doubt


@pytest.mark.parametrize("ending", ["hangs up", "is silent"])
async def test_a_message_whose_end_never_left_is_not_in_doubt(ending: str) -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        for verb, answer in (("MAIL", "250 Ok"), ("RCPT", "250 Ok"), ("DATA", "354 Go on")):
            await peer.hear(verb)
            await peer.say(answer)
        await peer.reader.read(1)
        if ending == "is silent":
            await left.wait()

    left = asyncio.Event()
    # More than the buffers of both ends hold.
    large = envelope(content=b"x" * 998 + b"\r\n" + (b"y" * 998 + b"\r\n") * 30_000)
    async with relay(script) as running:
        [outcome] = await attempted(settings(running.port), large, seconds=1)
        left.set()

    assert (outcome.result, outcome.step) == (Result.DEFERRED, Step.DATA)
    assert outcome.code in {Code.CONNECTION_CLOSED, Code.TIMED_OUT}
    assert not outcome.in_doubt


async def test_each_message_of_a_session_is_in_doubt_or_not_by_itself() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await take_message(peer)
        for verb in ("MAIL", "RCPT"):
            await peer.hear(verb)
            await peer.say("250 Ok")
        await peer.hear("DATA")

    async with relay(script) as running:
        outcomes = await attempted(settings(running.port), envelope(), envelope())

    assert (outcomes[1].code, outcomes[1].step) == (Code.CONNECTION_CLOSED, Step.DATA)
    assert not outcomes[1].in_doubt


async def test_a_session_that_broke_the_protocol_is_told_so_at_the_next_step() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet("AUTH PLAIN")
        await peer.hear("AUTH PLAIN ")
        await peer.say("235 2.7.0 Ok", "250 2.0.0 Delivered")
        assert await peer.is_left()

    async with relay(script) as running:
        [outcome] = await attempted(settings(running.port, auth=True))

    assert (outcome.step, outcome.code) == (Step.SENDER, Code.PROTOCOL_ERROR)


async def test_what_was_accepted_stays_accepted_when_the_relay_then_fails() -> None:
    async def script(peer: Peer) -> None:
        if len(running.peers) == 1:
            await peer.greet()
            await take_message(peer)

    async with relay(script) as running:
        outcomes = await attempted(settings(running.port), envelope(), envelope())

    assert [one.result for one in outcomes] == [Result.ACCEPTED, Result.DEFERRED]
    assert (outcomes[1].code, outcomes[1].step) == (Code.CONNECTION_CLOSED, Step.GREETING)


async def test_several_envelopes_go_over_one_session() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await take_message(peer)
        await take_message(peer)
        await say_goodbye(peer)

    async with relay(script) as running:
        outcomes = await attempted(settings(running.port), envelope(), envelope())

    assert [one.result for one in outcomes] == [Result.ACCEPTED] * 2
    assert len(running.peers) == 1


async def test_after_a_421_nothing_more_is_asked_over_that_session() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.hear("MAIL FROM:")
        await peer.say("421 4.3.2 Closing")
        assert await peer.is_left()

    async with relay(script) as running:
        outcomes = await attempted(settings(running.port), envelope(), envelope())

        assert len(running.peers) == 2
    assert [one.code for one in outcomes] == [Code.RELAY_UNAVAILABLE] * 2
    assert all(one.result is Result.DEFERRED for one in outcomes)


async def test_a_login_is_tried_once_and_a_weaker_one_never() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet("AUTH CRAM-MD5 PLAIN LOGIN")
        await peer.hear("AUTH CRAM-MD5")
        await peer.say("334 " + base64.b64encode(b"<1.2@relay.example.com>").decode())
        await peer.hear()
        await peer.say("535 5.7.8 Wrong")
        await say_goodbye(peer)

    told = Told()
    async with relay(script) as running:
        [outcome] = await attempted(settings(running.port, auth=True), told=told)

    assert (outcome.result, outcome.code) == (Result.DEFERRED, Code.LOGIN_REFUSED)
    assert outcome.permanent
    assert outcome.reply == "535 5.7.8 Wrong"
    assert told.ends[-1] == "authenticate failed"
    heard = b"".join(line for peer in running.peers for line in peer.lines)
    assert PASSWORD.encode() not in heard
    assert base64.b64encode(PASSWORD.encode()) not in heard


async def test_a_password_over_a_clear_connection_is_a_warning() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet("AUTH PLAIN")
        await peer.hear("AUTH PLAIN ")
        await peer.say("235 2.7.0 Ok")
        await take_message(peer)
        await say_goodbye(peer)

    told = Told()
    async with relay(script) as running:
        [outcome] = await attempted(settings(running.port, auth=True), told=told)

    assert outcome.result is Result.ACCEPTED
    assert outcome.warnings == (Code.NOT_ENCRYPTED, Code.PASSWORD_IN_CLEAR)
    assert told.seen(Step.AUTHENTICATE) == {
        "mechanisms": ["PLAIN"],
        "mechanism": "PLAIN",
        "warnings": ["password_in_clear"],
        "reply": "235 2.7.0 Ok",
    }


@pytest.mark.parametrize("step", [Step.SENDER, Step.RECIPIENT, Step.DATA])
async def test_a_relay_that_repeats_the_password_later_is_not_repeated(step: Step) -> None:
    plain = base64.b64encode(f"\0user@example.org\0{PASSWORD}".encode()).decode()
    repeats = f"550 5.7.1 You said {PASSWORD} and {plain}"

    async def script(peer: Peer) -> None:
        await peer.greet("AUTH PLAIN")
        await peer.hear("AUTH PLAIN ")
        await peer.say("235 2.7.0 Ok")
        for verb, told in (("MAIL", Step.SENDER), ("RCPT", Step.RECIPIENT)):
            await peer.hear(verb)
            await peer.say(repeats if told is step else "250 Ok")
            if told is step:
                return await say_goodbye(peer)
        await peer.hear("DATA")
        await peer.say(repeats)
        return await say_goodbye(peer)

    told = Told()
    async with relay(script) as running:
        [outcome] = await attempted(settings(running.port, auth=True), told=told)

    assert outcome.step is step
    assert outcome.reply == "550 5.7.1 You said [hidden] and [hidden]"
    assert PASSWORD not in str(told.events)
    assert plain not in str(told.events)


@pytest.mark.parametrize("offered", [(), ("AUTH XOAUTH2",), ("AUTH NTLM",)])
async def test_no_login_that_may_be_used_is_said_so(offered: tuple[str, ...]) -> None:
    async def script(peer: Peer) -> None:
        await peer.greet(*offered)
        await say_goodbye(peer)

    async with relay(script) as running:
        [outcome] = await attempted(settings(running.port, auth=True))

    assert (outcome.result, outcome.code) == (Result.DEFERRED, Code.LOGIN_NOT_OFFERED)


async def test_ntlm_that_the_operator_has_switched_off_is_not_tried() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet("AUTH NTLM PLAIN")
        await say_goodbye(peer)

    async with relay(script) as running:
        to = settings(running.port, auth=True, ntlm=True, ntlm_allowed=False)
        [outcome] = await attempted(to)

    assert outcome.code is Code.NTLM_SWITCHED_OFF


async def test_without_a_login_in_the_settings_none_is_made() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet("AUTH PLAIN LOGIN")
        await peer.hear("MAIL FROM:")
        await peer.say("530 5.7.0 Authentication required")
        await say_goodbye(peer)

    async with relay(script) as running:
        [outcome] = await attempted(settings(running.port))

    assert (outcome.result, outcome.code) == (Result.DEFERRED, Code.LOGIN_REQUIRED)
    assert outcome.permanent


@pytest.mark.parametrize(
    ("offered", "message", "code"),
    [
        (("SIZE 10",), envelope(), Code.MESSAGE_TOO_LARGE),
        ((), envelope("jürgen@example.net", utf8=True), Code.SMTPUTF8_UNSUPPORTED),
        ((), envelope(content=SIGNED, eight_bit=True), Code.EIGHT_BIT_UNSUPPORTED),
    ],
)
async def test_what_the_relay_cannot_take_is_not_sent(
    offered: tuple[str, ...], message: object, code: Code
) -> None:
    async def script(peer: Peer) -> None:
        await peer.greet(*offered)
        await say_goodbye(peer)

    async with relay(script) as running:
        [outcome] = await attempted(settings(running.port), message)  # type: ignore[arg-type]

    assert (outcome.result, outcome.code) == (Result.REFUSED, code)
    assert outcome.step is Step.SENDER


async def test_smtputf8_is_asked_for_where_it_is_needed() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet("8BITMIME", "SMTPUTF8", "SIZE")
        assert await peer.hear("MAIL FROM:<from@example.org>") == " BODY=8BITMIME SMTPUTF8"
        await peer.say("250 Ok")
        assert await peer.hear("RCPT TO:") == "<jürgen@example.net>"
        await peer.say("550 5.1.1 Unknown")
        await say_goodbye(peer)

    async with relay(script) as running:
        to = envelope("jürgen@example.net", content=b"\r\n\xc3\xbc", utf8=True, eight_bit=True)
        [outcome] = await attempted(settings(running.port), to)

    assert outcome.code is Code.RECIPIENT_REFUSED


@pytest.mark.parametrize(
    ("says", "code"),
    [
        ("554 No SMTP service here", Code.RELAY_UNAVAILABLE),
        ("421 4.3.2 Busy", Code.RELAY_UNAVAILABLE),
        ("HTTP/1.1 400 Bad Request", Code.PROTOCOL_ERROR),
    ],
)
async def test_another_greeting_than_220_ends_the_attempt(says: str, code: Code) -> None:
    async def script(peer: Peer) -> None:
        await peer.say(says)

    told = Told()
    async with relay(script) as running:
        [outcome] = await attempted(settings(running.port), told=told)

    assert (outcome.result, outcome.step, outcome.code) == (Result.DEFERRED, Step.GREETING, code)
    assert not outcome.permanent
    assert told.ends[-1] == "greeting failed"


async def test_a_silent_relay_fails_at_the_deadline() -> None:
    async def script(peer: Peer) -> None:
        assert await peer.is_left()

    async with relay(script) as running:
        started = asyncio.get_running_loop().time()
        [outcome] = await attempted(settings(running.port), seconds=0.3)
        took = asyncio.get_running_loop().time() - started

    assert (outcome.step, outcome.code) == (Step.GREETING, Code.TIMED_OUT)
    assert 0.25 < took < 3


async def test_a_relay_that_drips_does_not_prolong_the_attempt() -> None:
    async def script(peer: Peer) -> None:
        for _ in range(100):
            await peer.send(b"220-Welcome\r\n"[:1])
            await asyncio.sleep(0.05)

    async with relay(script) as running:
        started = asyncio.get_running_loop().time()
        [outcome] = await attempted(settings(running.port), seconds=0.3)
        took = asyncio.get_running_loop().time() - started

    assert outcome.result is Result.DEFERRED
    assert took < 3


async def test_a_refused_connection_says_so_and_names_the_address() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()

    async with relay(script) as running:
        port = running.port
    told = Told()

    [outcome] = await attempted(settings(port), told=told)

    assert (outcome.step, outcome.code) == (Step.CONNECT, Code.CONNECTION_REFUSED)
    assert outcome.address == "127.0.0.1"
    assert told.ends == ["resolve ok", "connect failed"]


async def test_the_next_address_is_tried_where_one_does_not_answer() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await take_message(peer)

    async with relay(script) as running, pool(Names(["127.0.0.2", "127.0.0.1"])) as connections:
        [outcome] = await attempted(settings(running.port), connections=connections)

    assert outcome.result is Result.ACCEPTED
    assert outcome.address == "127.0.0.1"


async def test_a_name_without_an_address_is_not_found() -> None:
    names = Names()
    async with pool(names) as connections:
        [outcome] = await attempted(settings(25), connections=connections)

    assert (outcome.step, outcome.code) == (Step.RESOLVE, Code.RELAY_NOT_FOUND)
    assert outcome.result is Result.DEFERRED
    assert not outcome.permanent
    assert names.asked == [HOST]


async def test_a_name_server_that_is_silent_fails_at_the_deadline() -> None:
    class Silent:
        async def resolve(self, host: str) -> list[str]:
            await asyncio.Event().wait()
            return [host]

    async with pool(Silent()) as connections:
        [outcome] = await attempted(settings(25), connections=connections, seconds=0.1)

    assert (outcome.step, outcome.code) == (Step.RESOLVE, Code.NAME_LOOKUP_FAILED)


async def test_a_relay_that_offers_a_thousand_mechanisms_is_not_told_of_at_length() -> None:
    async def script(peer: Peer) -> None:
        offered = [
            f"AUTH {' '.join(f'M{line}-{one}' for one in range(100))}" for line in range(10)
        ]
        await peer.greet(*offered, "AUTH PLAIN")
        assert await peer.hear("AUTH PLAIN ")
        await peer.say("535 5.7.8 No")

    told = Told()
    async with relay(script) as running:
        await attempted(settings(running.port, auth=True), told=told)

    for step in (Step.EHLO, Step.AUTHENTICATE):
        assert told.seen(step)["mechanisms"] == [f"M0-{one}" for one in range(20)]
    assert told.seen(Step.AUTHENTICATE)["mechanism"] == "PLAIN"


async def test_a_forbidden_address_is_never_connected_to() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()

    async with (
        relay(script) as running,
        pool(Names(["192.0.2.1", "127.0.0.1"]), policy=Policy("public")) as connections,
    ):
        [outcome] = await attempted(settings(running.port), connections=connections)

        assert running.peers == []
    assert (outcome.step, outcome.code) == (Step.RESOLVE, Code.DESTINATION_FORBIDDEN)
    assert outcome.permanent
    assert outcome.address is None


async def test_the_operators_own_relay_is_not_bound_by_the_policy() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await take_message(peer)

    async with relay(script) as running, pool(policy=Policy("public")) as connections:
        to = settings(running.port, policy_exempt=True)
        [outcome] = await attempted(to, connections=connections)

    assert outcome.result is Result.ACCEPTED


@pytest.mark.parametrize(
    ("until", "commands"),
    [
        (Step.RESOLVE, []),
        (Step.CONNECT, []),
        (Step.GREETING, [b"QUIT"]),
        (Step.AUTHENTICATE, [b"EHLO", b"QUIT"]),
        (Step.RECIPIENT, [b"EHLO", b"MAIL", b"RCPT", b"RSET", b"QUIT"]),
    ],
)
async def test_until_ends_the_attempt_and_nothing_is_sent(
    until: Step, commands: list[bytes]
) -> None:
    async def script(peer: Peer) -> None:
        await peer.say(f"220 {HOST} ESMTP")
        while await peer.hear() != "QUIT":
            await peer.say("250 Ok")
        await peer.say("221 Bye")

    told = Told()
    async with relay(script) as running:
        assert await attempted(settings(running.port), told=told, until=until) == []

    assert told.ends[-1].split()[0] == until
    heard = [line[:4] for peer in running.peers for line in peer.lines]
    assert heard == commands


async def test_a_cancelled_attempt_leaves_no_connection_behind() -> None:
    connected = asyncio.Event()
    left = []

    async def script(peer: Peer) -> None:
        connected.set()
        left.append(await peer.is_left())

    async with relay(script) as running, pool() as connections:
        attempting = asyncio.create_task(
            attempted(settings(running.port), connections=connections)
        )
        await connected.wait()
        attempting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await attempting

    assert left == [True]
