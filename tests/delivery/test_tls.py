"""How much protection an attempt asks for: the design's table, line by line."""

import datetime as dt
import ssl
from contextlib import AbstractAsyncContextManager, suppress
from pathlib import Path

import pytest
import trustme

from smarthost.delivery.outcome import Code, Result, Step
from tests.delivery.attempts import (
    PASSWORD,
    Told,
    attempted,
    pool,
    say_goodbye,
    settings,
    take_message,
)
from tests.names import Names
from tests.smtp.relays import HOST, TLS_PORT, Peer, Relay, Script, relay, server_context

ADDRESS = "127.77.24.65"
"""Of its own, since port 2465 cannot be a free one of the system's choice."""


def on_port_2465(
    script: Script, *, tls: ssl.SSLContext | None
) -> AbstractAsyncContextManager[Relay]:
    """Run a relay where TLS comes first."""
    return relay(script, tls=tls, host=ADDRESS, port=TLS_PORT)


def everything_heard(running: Relay) -> bytes:
    return b"".join(line for peer in running.peers for line in peer.lines)


def starttls(context: ssl.SSLContext) -> Script:
    """A relay that starts TLS, takes a login and a message."""

    async def script(peer: Peer) -> None:
        await peer.greet("STARTTLS", "AUTH LOGIN")
        await peer.hear("STARTTLS")
        await peer.say("220 2.0.0 Go on")
        await peer.start_tls(context)
        await peer.answer_ehlo("AUTH PLAIN")
        await peer.hear("AUTH PLAIN ")
        await peer.say("235 2.7.0 Ok")
        await take_message(peer)
        await say_goodbye(peer)

    return script


async def test_required_tls_is_verified_and_the_login_comes_after_it(
    ca: trustme.CA, ca_file: Path
) -> None:
    told = Told()
    async with relay(starttls(server_context(ca))) as running:
        to = settings(running.port, ssl=True, auth=True, ca_file=ca_file)
        [outcome] = await attempted(to, told=told)

    assert outcome.result is Result.ACCEPTED
    assert outcome.tls == "TLSv1.3"
    assert outcome.warnings == ()
    assert told.ends == [
        "resolve ok",
        "connect ok",
        "greeting ok",
        "ehlo ok",
        "tls ok",
        "ehlo ok",
        "authenticate ok",
        "sender ok",
        "recipient ok",
        "data ok",
    ]
    seen = told.seen(Step.TLS)
    certificate = seen["certificate"]
    assert seen["version"] == "TLSv1.3"
    assert seen["verified"] is True
    assert isinstance(certificate, dict)
    assert set(certificate) == {
        "subject",
        "issuer",
        "names",
        "notBefore",
        "notAfter",
        "daysLeft",
    }
    assert certificate["names"] == [HOST]
    assert certificate["daysLeft"] > 0


@pytest.mark.parametrize(("hours", "warned"), [(20 * 24 + 1, True), (21 * 24 + 1, False)])
async def test_a_certificate_that_ends_within_21_days_is_warned_of(
    ca: trustme.CA, ca_file: Path, hours: int, warned: bool
) -> None:
    last = dt.datetime.now(dt.UTC) + dt.timedelta(hours=hours)
    context = server_context(ca, certificate=ca.issue_cert(HOST, not_after=last))
    told = Told()
    async with relay(starttls(context)) as running:
        to = settings(running.port, ssl=True, auth=True, ca_file=ca_file)
        [outcome] = await attempted(to, told=told)

    assert outcome.result is Result.ACCEPTED
    assert outcome.warnings == ((Code.CERTIFICATE_ENDS_SOON,) if warned else ())
    assert told.seen(Step.TLS).get("warnings", []) == list(outcome.warnings)


@pytest.mark.parametrize(
    ("answer", "permanent"), [(None, True), ("454 4.7.0 Not now", False), ("500 What?", True)]
)
async def test_required_tls_that_does_not_start_ends_the_attempt(
    answer: str | None, permanent: bool
) -> None:
    async def script(peer: Peer) -> None:
        await peer.greet("AUTH PLAIN LOGIN", *([] if answer is None else ["STARTTLS"]))
        if answer is not None:
            await peer.hear("STARTTLS")
            await peer.say(answer)
        await say_goodbye(peer)

    async with relay(script) as running:
        [outcome] = await attempted(settings(running.port, ssl=True, auth=True))

    assert (outcome.result, outcome.step) == (Result.DEFERRED, Step.TLS)
    assert (outcome.code, outcome.permanent) == (Code.TLS_UNAVAILABLE, permanent)
    assert b"AUTH" not in everything_heard(running)
    assert b"MAIL" not in everything_heard(running)


def expired(ca: trustme.CA) -> trustme.LeafCert:
    past = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    return ca.issue_cert(HOST, not_after=past, not_before=past - dt.timedelta(days=1))


@pytest.mark.parametrize("implicit", [False, True])
@pytest.mark.parametrize(
    "code",
    [Code.CERTIFICATE_UNTRUSTED, Code.CERTIFICATE_WRONG_NAME, Code.CERTIFICATE_EXPIRED],
)
async def test_a_certificate_that_proves_nothing_gets_no_login(
    ca: trustme.CA, ca_file: Path, code: Code, implicit: bool
) -> None:
    context = proving_nothing(ca, code)
    async with running_relay(starttls(context), context, implicit=implicit) as running:
        to = settings(running.port, ssl=True, auth=True, ca_file=ca_file)
        async with pool(Names([ADDRESS if implicit else "127.0.0.1"])) as connections:
            [outcome] = await attempted(to, connections=connections)

    assert (outcome.result, outcome.step, outcome.code) == (Result.DEFERRED, Step.TLS, code)
    assert outcome.permanent
    assert outcome.tls is None
    assert b"AUTH" not in everything_heard(running)
    assert len(running.peers) <= 1


def proving_nothing(ca: trustme.CA, code: Code) -> ssl.SSLContext:
    return {
        Code.CERTIFICATE_UNTRUSTED: lambda: server_context(trustme.CA()),
        Code.CERTIFICATE_WRONG_NAME: lambda: server_context(ca, "other.example.com"),
        Code.CERTIFICATE_EXPIRED: lambda: server_context(ca, certificate=expired(ca)),
    }[code]()


@pytest.mark.parametrize("implicit", [False, True])
@pytest.mark.parametrize(
    "code",
    [Code.CERTIFICATE_UNTRUSTED, Code.CERTIFICATE_WRONG_NAME, Code.CERTIFICATE_EXPIRED],
)
async def test_who_only_looks_is_shown_the_certificate_that_was_refused(
    ca: trustme.CA, ca_file: Path, code: Code, implicit: bool
) -> None:
    context = proving_nothing(ca, code)
    told = Told()
    async with running_relay(starttls(context), context, implicit=implicit) as running:
        to = settings(running.port, ssl=True, auth=True, ca_file=ca_file)
        async with pool(names := Names([ADDRESS if implicit else "127.0.0.1"])) as connections:
            [outcome] = await attempted(
                to, connections=connections, told=told, until=Step.RECIPIENT, fresh=True
            )

    assert (outcome.step, outcome.code, outcome.tls) == (Step.TLS, code, None)
    seen = told.seen(Step.TLS)
    certificate = seen["certificate"]
    assert isinstance(certificate, dict)
    wrong_name = code is Code.CERTIFICATE_WRONG_NAME
    assert certificate["names"] == ["other.example.com" if wrong_name else HOST]
    assert (certificate["daysLeft"] < 0) is (code is Code.CERTIFICATE_EXPIRED)
    if code is Code.CERTIFICATE_EXPIRED:
        assert certificate["notBefore"] == "2019-12-31T00:00:00Z"
        assert certificate["notAfter"] == "2020-01-01T00:00:00Z"
    assert set(seen) == {"certificate"}
    assert len(names.asked) == 1
    assert {line[:4] for peer in running.peers for line in peer.lines} <= {b"EHLO", b"STAR"}


async def test_a_relay_that_does_not_show_its_certificate_twice_is_no_other_failure(
    ca: trustme.CA, ca_file: Path
) -> None:
    told = Told()

    async def script(peer: Peer) -> None:
        if len(running.peers) == 1:
            await starttls(server_context(trustme.CA()))(peer)
        else:
            await peer.say("421 4.3.2 Enough")

    async with relay(script) as running:
        to = settings(running.port, ssl=True, ca_file=ca_file)
        [outcome] = await attempted(to, told=told, until=Step.RECIPIENT, fresh=True)

    assert (outcome.step, outcome.code) == (Step.TLS, Code.CERTIFICATE_UNTRUSTED)
    assert told.seen(Step.TLS) == {}


def running_relay(
    script: Script, context: ssl.SSLContext, *, implicit: bool
) -> AbstractAsyncContextManager[Relay]:
    return on_port_2465(script, tls=context) if implicit else relay(script)


@pytest.mark.parametrize("required", [False, True])
async def test_clear_text_behind_the_220_of_starttls_is_an_attack(required: bool) -> None:
    async def script(peer: Peer) -> None:
        await peer.greet("STARTTLS", "AUTH LOGIN")
        await peer.hear("STARTTLS")
        await peer.say("220 2.0.0 Go on", "250 AUTH LOGIN")
        assert await peer.is_left()

    async with relay(script) as running:
        [outcome] = await attempted(settings(running.port, ssl=required, auth=True))

    assert (outcome.step, outcome.code) == (Step.TLS, Code.STARTTLS_INJECTION)
    assert len(running.peers) == 1
    assert b"AUTH" not in everything_heard(running)


async def test_a_login_offered_only_before_tls_is_not_used(ca: trustme.CA, ca_file: Path) -> None:
    async def script(peer: Peer) -> None:
        await peer.greet("STARTTLS", "AUTH LOGIN PLAIN")
        await peer.hear("STARTTLS")
        await peer.say("220 2.0.0 Go on")
        await peer.start_tls(server_context(ca))
        await peer.answer_ehlo()
        await say_goodbye(peer)

    async with relay(script) as running:
        to = settings(running.port, ssl=True, auth=True, ca_file=ca_file)
        [outcome] = await attempted(to)

    assert outcome.code is Code.LOGIN_NOT_OFFERED


async def test_tls_that_is_not_required_is_used_and_believes_anybody(ca: trustme.CA) -> None:
    told = Told()
    async with relay(starttls(server_context(ca, "other.example.com"))) as running:
        [outcome] = await attempted(settings(running.port, auth=True), told=told)

    assert outcome.result is Result.ACCEPTED
    assert outcome.tls == "TLSv1.3"
    assert outcome.warnings == (Code.CERTIFICATE_NOT_VERIFIED,)
    assert "tls ok" in told.ends
    assert told.seen(Step.TLS)["verified"] is False


async def test_tls_that_is_not_required_and_refused_goes_on_in_clear() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet("STARTTLS")
        await peer.hear("STARTTLS")
        await peer.say("454 4.7.0 Not now")
        await take_message(peer)
        await say_goodbye(peer)

    told = Told()
    async with relay(script) as running:
        [outcome] = await attempted(settings(running.port), told=told)

    assert outcome.result is Result.ACCEPTED
    assert outcome.warnings == (Code.NOT_ENCRYPTED,)
    assert told.seen(Step.TLS) == {"reply": "454 4.7.0 Not now", "warnings": ["not_encrypted"]}


async def test_tls_that_is_not_required_and_fails_is_left_out_on_a_new_connection() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet("STARTTLS")
        if len(running.peers) == 1:
            await peer.hear("STARTTLS")
            await peer.say("220 2.0.0 Go on")
            await peer.reader.read(65_536)  # the ClientHello
            with suppress(ConnectionError):
                await peer.send(b"\0" * 100)
                await peer.reader.read()  # an alert, and the end
        else:
            await take_message(peer)
            await say_goodbye(peer)

    told = Told()
    async with relay(script) as running:
        [outcome] = await attempted(settings(running.port), told=told)

    assert outcome.result is Result.ACCEPTED
    assert outcome.warnings == (Code.NOT_ENCRYPTED,)
    assert len(running.peers) == 2
    assert [line[:4] for line in running.peers[1].lines] == [
        b"EHLO",
        b"MAIL",
        b"RCPT",
        b"DATA",
        b"QUIT",
    ]
    assert told.ends[:8] == [
        "resolve ok",
        "connect ok",
        "greeting ok",
        "ehlo ok",
        "tls warning",
        "connect ok",
        "greeting ok",
        "ehlo ok",
    ]


async def test_tls_from_the_first_byte_comes_before_the_greeting(
    ca: trustme.CA, ca_file: Path
) -> None:
    async def script(peer: Peer) -> None:
        await peer.greet("AUTH PLAIN")
        await peer.hear("AUTH PLAIN ")
        await peer.say("235 2.7.0 Ok")
        await take_message(peer)
        await say_goodbye(peer)

    told = Told()
    async with (
        on_port_2465(script, tls=server_context(ca)) as running,
        pool(Names([ADDRESS])) as connections,
    ):
        to = settings(TLS_PORT, ssl=True, auth=True, ca_file=ca_file)
        [outcome] = await attempted(to, connections=connections, told=told)
        await connections.close()

    assert outcome.result is Result.ACCEPTED
    assert (outcome.tls, outcome.warnings) == ("TLSv1.3", ())
    assert told.ends[1:5] == ["connect ok", "tls ok", "greeting ok", "ehlo ok"]
    assert len(running.peers) == 1


async def test_a_port_that_speaks_clear_where_tls_comes_first_is_named_so() -> None:
    async def script(peer: Peer) -> None:
        await peer.say(f"220 {HOST} ESMTP")
        assert not await peer.is_left()  # the ClientHello, which no relay in clear understands
        await peer.say("500 What?")

    async with on_port_2465(script, tls=None), pool(Names([ADDRESS])) as connections:
        to = settings(TLS_PORT, ssl=True, auth=True)
        [outcome] = await attempted(to, connections=connections)

    assert (outcome.step, outcome.code) == (Step.TLS, Code.TLS_NOT_SPOKEN)
    assert outcome.permanent


async def test_a_port_where_tls_comes_first_says_nothing_to_settings_without_it(
    ca: trustme.CA,
) -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()

    async with (
        on_port_2465(script, tls=server_context(ca)),
        pool(Names([ADDRESS])) as connections,
    ):
        [outcome] = await attempted(settings(TLS_PORT), connections=connections, seconds=0.3)

    assert (outcome.step, outcome.code) == (Step.GREETING, Code.TIMED_OUT)


async def test_a_password_is_never_seen_outside_verified_tls(ca_file: Path) -> None:
    """Whatever a relay without TLS offers, required TLS keeps user name and password back."""

    async def script(peer: Peer) -> None:
        await peer.greet("AUTH PLAIN LOGIN CRAM-MD5 SCRAM-SHA-256 NTLM")
        while line := await peer.hear():
            await peer.say("221 Bye" if line == "QUIT" else "250 Ok")

    for ntlm in (False, True):
        async with relay(script) as running:
            to = settings(running.port, ssl=True, auth=True, ntlm=ntlm, ca_file=ca_file)
            await attempted(to)

        heard = everything_heard(running)
        assert set(heard.split(b"\r\n")) <= {b"EHLO app.example.org", b"QUIT", b""}
        assert PASSWORD.encode() not in heard
