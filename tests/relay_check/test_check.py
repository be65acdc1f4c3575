"""Checks of settings against scripted relays: what is told, what is warned of, what is saved."""

import asyncio
import base64
import socket
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trustme

from smarthost.delivery.outcome import Code, Step, StepState
from smarthost.relay_check.check import DEADLINE_SECONDS
from smarthost.relay_check.model import Checked, NothingToCheckError
from smarthost.secret import Secret
from smarthost.smtp.egress import Policy
from smarthost.smtp_settings.model import (
    InvalidSettingsError,
    RevisionConflictError,
    SettingsInput,
)
from tests.authority import trust_everywhere
from tests.clocks import START
from tests.engines import executing
from tests.hostile_relays.quick import LoopClock, QuickLoop
from tests.relay_check.checks import (
    BY,
    SENDER,
    USER,
    Bench,
    bench,
    ends,
    seen,
    skipped,
    take_no_message,
    typed,
)
from tests.smtp.relays import HOST, Peer, Relay, Script, relay, server_context

PASSWORD = "CANARY-Horse-7"
_UNLOCK = "DROP TRIGGER smtp_settings_revisions_are_immutable"


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trusted(ca: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """An authority that this machine knows."""
    trust_everywhere(ca, tmp_path, monkeypatch)
    return ca


async def clear(peer: Peer) -> None:
    """Play a relay without TLS and login."""
    await peer.greet("SIZE 1000000")
    await take_no_message(peer)


async def with_login(peer: Peer) -> None:
    """Play a relay that takes any password in clear."""
    await peer.greet("AUTH LOGIN PLAIN")
    await peer.hear("AUTH PLAIN ")
    await peer.say("235 2.7.0 Ok")
    await take_no_message(peer)


async def refusing_the_login(peer: Peer) -> None:
    await peer.greet("AUTH PLAIN")
    await peer.hear("AUTH PLAIN ")
    await peer.say("535 5.7.8 Authentication failed")
    await peer.hear("QUIT")
    await peer.say("221 2.0.0 Bye")


def proved(ca: trustme.CA) -> Script:
    """A relay with a good certificate behind STARTTLS, and a login behind that."""

    async def script(peer: Peer) -> None:
        await peer.greet("STARTTLS", "SIZE 5000")
        await peer.hear("STARTTLS")
        await peer.say("220 2.0.0 Go on")
        await peer.start_tls(server_context(ca))
        await peer.answer_ehlo("AUTH LOGIN PLAIN", "SIZE 5000", "8BITMIME")
        await peer.hear("AUTH PLAIN ")
        await peer.say("235 2.7.0 Ok")
        await take_no_message(peer)

    return script


def heard(running: Relay) -> bytes:
    return b"".join(line for peer in running.peers for line in peer.lines)


async def test_a_check_goes_up_to_the_recipient_and_sends_nothing(
    tmp_path: Path, trusted: trustme.CA
) -> None:
    async with bench(tmp_path) as desk, relay(proved(trusted)) as running:
        checked = await desk.check(typed(running.port, password=PASSWORD, enable_ssl=True))
        waiting = await desk.parts.database.fetch("SELECT count(*) FROM messages")
        saved = (await desk.in_force()).number

    assert (checked.ok, checked.failure, checked.warnings) == (True, None, ())
    assert (checked.saved, checked.revision) == (False, None)
    assert ends(checked) == [
        "resolve ok",
        "connect ok",
        "greeting ok",
        "ehlo ok",
        "tls ok",
        "ehlo ok",
        "authenticate ok",
        "sender ok",
        "recipient ok",
    ]
    assert b"DATA" not in heard(running)
    assert waiting[0][0] == 0
    assert saved == 0


async def test_each_step_tells_what_it_saw(tmp_path: Path, trusted: trustme.CA) -> None:
    async with bench(tmp_path) as desk, relay(proved(trusted)) as running:
        checked = await desk.check(typed(running.port, password=PASSWORD, enable_ssl=True))

    assert seen(checked, "resolve") == {"addresses": ["127.0.0.1"]}
    assert seen(checked, "connect") == {"address": "127.0.0.1", "port": running.port}
    assert seen(checked, "greeting") == {"banner": f"220 {HOST} ESMTP"}
    assert seen(checked, "ehlo") == {
        "extensions": ["8BITMIME"],
        "mechanisms": ["LOGIN", "PLAIN"],
        "sizeLimit": 5000,
    }
    tls = seen(checked, "tls")
    assert (tls["version"], tls["verified"]) == ("TLSv1.3", True)
    assert tls["cipher"].startswith("TLS_")
    assert tls["certificate"]["names"] == [HOST]
    assert seen(checked, "authenticate") == {
        "mechanisms": ["LOGIN", "PLAIN"],
        "mechanism": "PLAIN",
        "reply": "235 2.7.0 Ok",
    }
    assert seen(checked, "sender") == {"sender": SENDER, "reply": "250 2.1.0 Ok"}
    assert seen(checked, "recipient") == {"replies": ["250 2.1.5 Ok"]}


async def test_each_step_is_told_as_it_begins_and_as_it_ends(tmp_path: Path) -> None:
    async with bench(tmp_path) as desk, relay(clear) as running:
        checked = await desk.check(typed(running.port))

    ended = [one for one in desk.told if one.state is not StepState.BEGIN]
    assert checked.steps == tuple(ended)
    begun = [one for one in desk.told if one.state is StepState.BEGIN]
    assert [one.step for one in begun] == [
        one.step for one in ended if one.state is not StepState.SKIPPED
    ]
    assert all((one.milliseconds, one.seen) == (None, {}) for one in begun)
    for one in ended:
        assert one.milliseconds is not None
        assert one.milliseconds == round(one.milliseconds, 1)
        assert one.milliseconds >= 0
    assert skipped(checked) == ["authenticate"]


async def test_what_was_not_reached_is_skipped_and_not_told(tmp_path: Path) -> None:
    async with bench(tmp_path) as desk, relay(refusing_the_login) as running:
        checked = await desk.check(typed(running.port, password=PASSWORD))

    assert not checked.ok
    assert ends(checked)[-3:] == ["authenticate failed", "sender skipped", "recipient skipped"]
    assert [one.milliseconds for one in checked.steps[-2:]] == [0.0, 0.0]
    assert desk.told[-1].step is Step.AUTHENTICATE


async def test_a_failure_is_explained_with_the_relays_own_words(tmp_path: Path) -> None:
    async with bench(tmp_path) as desk, relay(refusing_the_login) as running:
        failure = (await desk.check(typed(running.port, password=PASSWORD))).failure

    assert failure is not None
    assert (failure.step, failure.code) == (Step.AUTHENTICATE, Code.LOGIN_REFUSED)
    assert failure.permanent
    assert failure.title == f"{HOST} refused the login"
    assert failure.reply == "535 5.7.8 Authentication failed"
    assert failure.fields == ("credentialsUserPassword", "credentialsUserName")


async def test_the_relay_is_asked_for_the_very_message_that_a_test_would_send(
    tmp_path: Path,
) -> None:
    async def script(peer: Peer) -> None:
        await peer.greet("SIZE 100")
        await peer.hear("QUIT")
        await peer.say("221 2.0.0 Bye")

    async with bench(tmp_path) as desk, relay(script) as running:
        checked = await desk.check(typed(running.port))

    assert checked.failure is not None
    assert checked.failure.code is Code.MESSAGE_TOO_LARGE


async def test_where_the_policy_forbids_nothing_connects(tmp_path: Path) -> None:
    async with bench(tmp_path, policy=Policy("public")) as desk, relay(clear) as running:
        checked = await desk.check(typed(running.port))

    assert checked.failure is not None
    assert checked.failure.code is Code.DESTINATION_FORBIDDEN
    assert running.peers == []


async def test_warnings_alone_leave_a_check_passed(tmp_path: Path) -> None:
    async with bench(tmp_path) as desk, relay(with_login) as running:
        checked = await desk.check(
            typed(running.port, password=PASSWORD, sender_address=SENDER, user_name="a@else.test")
        )

    assert checked.ok
    assert [(one.step, one.code) for one in checked.warnings] == [
        (Step.TLS, Code.NOT_ENCRYPTED),
        (Step.AUTHENTICATE, Code.PASSWORD_IN_CLEAR),
        (Step.SENDER, Code.SENDER_OUTSIDE_LOGIN),
    ]
    assert "authenticate warning" in ends(checked)


async def test_all_faults_of_the_settings_come_before_any_connection(tmp_path: Path) -> None:
    async with bench(tmp_path) as desk:
        with pytest.raises(InvalidSettingsError) as refused:
            await desk.check(SettingsInput(port=0, enable_auth=True))
        assert desk.names.asked == []
        assert set(refused.value.faults) == {
            "host",
            "port",
            "sender_address",
            "user_name",
            "password",
        }


async def test_without_own_settings_there_is_nothing_to_check(tmp_path: Path) -> None:
    async with bench(tmp_path) as desk:
        with pytest.raises(NothingToCheckError):
            await desk.check()


@pytest.mark.parametrize("hidden", [False, True])
async def test_the_default_relay_is_checked_where_the_portal_may_see_it(
    tmp_path: Path, hidden: bool
) -> None:
    async with relay(clear) as running:
        url = f"smtp://{HOST}:{running.port}?sender={SENDER}"
        async with bench(
            tmp_path, hidden=hidden, policy=Policy("public"), DEFAULT_RELAY_URL=url
        ) as desk:
            if hidden:
                with pytest.raises(NothingToCheckError):
                    await desk.check()
                assert desk.names.asked == []
            else:
                checked = await desk.check()
                assert (checked.ok, checked.saved, checked.revision) == (True, False, 0)


# What the relay repeats.


@pytest.mark.parametrize(
    "spelled",
    [
        PASSWORD,
        base64.b64encode(PASSWORD.encode()).decode(),
        base64.b64encode(f"\0{USER}\0{PASSWORD}".encode()).decode(),
    ],
)
async def test_a_password_that_the_relay_repeats_is_in_nothing_that_is_told(
    tmp_path: Path, spelled: str
) -> None:
    async def script(peer: Peer) -> None:
        await peer.say(f"220 {HOST} {spelled}")
        await peer.answer_ehlo("STARTTLS", f"AUTH PLAIN {PASSWORD}", f"X-{spelled}")
        await peer.hear("STARTTLS")
        await peer.say(f"454 4.7.0 {spelled}")
        await peer.hear("AUTH PLAIN ")
        await peer.say(f"235-2.7.0 {spelled}", f"235 2.7.0 and {spelled}")
        await peer.hear("MAIL FROM:")
        await peer.say(f"250 2.1.0 {spelled}")
        await peer.hear("RCPT TO:")
        await peer.say(f"550 5.1.1 {spelled}")
        await peer.forget()

    async with bench(tmp_path) as desk, relay(script) as running:
        checked = await desk.check(typed(running.port, password=PASSWORD))

    told = msgspec.json.encode([checked, desk.told]).decode()
    assert checked.failure is not None
    assert checked.failure.code is Code.RECIPIENT_REFUSED
    assert told.count("[hidden]") > 10
    assert "CANARY" not in told
    assert spelled not in told
    assert spelled not in repr(checked)


# The stored password.


@pytest.mark.parametrize(
    "changes",
    [
        {"host": "other.example.com"},
        {"port": 2526},
        {"enable_ssl": True},
        {"use_ntlm": True},
        {"user_name": "other@example.com"},
    ],
)
async def test_the_stored_password_is_no_other_destinations(
    tmp_path: Path, changes: dict[str, object]
) -> None:
    async with bench(tmp_path) as desk:
        await desk.save(typed(2525, password=PASSWORD))
        other = msgspec.structs.replace(typed(2525, password=""), **changes)
        with pytest.raises(InvalidSettingsError) as refused:
            await desk.check(other)
        assert set(refused.value.faults) == {"password"}
        assert desk.names.asked == []


@pytest.mark.parametrize("stored", [False, True])
async def test_the_stored_password_is_used_for_its_own_destination(
    tmp_path: Path, stored: bool
) -> None:
    async with bench(tmp_path) as desk, relay(with_login) as running:
        await desk.save(typed(running.port, password=PASSWORD))
        checked = await desk.check(None if stored else typed(running.port, password=""))

    assert checked.ok
    assert (checked.saved, checked.revision) == (False, 1 if stored else None)
    response = running.peers[0].lines[1].removeprefix(b"AUTH PLAIN ")
    assert base64.b64decode(response) == f"\0{USER}\0{PASSWORD}".encode()


MUTATIONS: dict[str, dict[str, Any]] = {
    "host = 'evil.example.com'": {"host": "evil.example.com"},
    "port = 2526": {"port": 2526},
    "enable_ssl = 1": {"enable_ssl": True},
    "use_ntlm = 1": {"use_ntlm": True},
    "user_name = 'other@example.com'": {"user_name": "other@example.com"},
    "sealed_password = zeroblob(60)": {},
    "sealed_password = substr(sealed_password, 1, 30)": {},
    "sealed_password = x''": {},
}


@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize("mutation", MUTATIONS)
async def test_a_password_that_was_moved_or_altered_makes_no_connection(
    tmp_path: Path, mutation: str, stored: bool
) -> None:
    async with bench(tmp_path) as desk:
        await desk.save(typed(2525, password=PASSWORD))
        await desk.parts.database.transact(executing(_UNLOCK))
        update = f"UPDATE smtp_settings_revisions SET {mutation}"
        await desk.parts.database.transact(executing(update))
        same = msgspec.structs.replace(typed(2525, password=""), **MUTATIONS[mutation])
        checked = await desk.check(None if stored else same, save_when_proven=True)
        assert desk.names.asked == []
        assert (await desk.in_force()).number == 1

    assert checked.failure is not None
    assert (checked.failure.step, checked.failure.code) == (
        Step.RESOLVE,
        Code.PASSWORD_UNREADABLE,
    )
    assert checked.failure.permanent
    assert ends(checked)[0] == "resolve failed"
    assert set(ends(checked)[1:]) == {
        f"{step} skipped" for step in Step if step not in (Step.RESOLVE, Step.DATA)
    }
    assert [one.state for one in desk.told] == [StepState.BEGIN, StepState.FAILED]


# Saving what was proven.


async def test_what_was_proven_is_saved(tmp_path: Path) -> None:
    async with bench(tmp_path) as desk, relay(with_login) as running:
        checked = await desk.check(typed(running.port, password=PASSWORD), save_when_proven=True)
        in_force = await desk.in_force()
        again = await desk.check(typed(running.port, password=""), save_when_proven=True)
        stored = await desk.check(save_when_proven=True)

    assert (checked.ok, checked.saved, checked.revision) == (True, True, 1)
    assert (in_force.number, in_force.saved_by) == (1, BY.name)
    assert in_force.settings is not None
    assert in_force.settings.port == running.port
    assert (again.ok, again.saved, again.revision) == (True, True, 1)
    assert (stored.ok, stored.saved, stored.revision) == (True, False, 1)
    assert len(running.peers) == 3


async def test_what_failed_is_not_saved(tmp_path: Path) -> None:
    async with bench(tmp_path) as desk, relay(refusing_the_login) as running:
        checked = await desk.check(typed(running.port, password=PASSWORD), save_when_proven=True)
        assert (await desk.in_force()).number == 0

    assert (checked.ok, checked.saved, checked.revision) == (False, False, None)


@pytest.mark.parametrize("stored", [False, True])
async def test_other_settings_than_the_caller_has_seen_are_not_even_checked(
    tmp_path: Path, stored: bool
) -> None:
    async with bench(tmp_path) as desk:
        await desk.save(typed(2525))
        with pytest.raises(RevisionConflictError, match="Since revision 0: revision 1 saved by "):
            await desk.check(None if stored else typed(2526), if_match=frozenset({0}))
        assert desk.names.asked == []


async def changed_meanwhile(desk: Bench, wanted: SettingsInput, **options: object) -> Checked:
    """Check while somebody else saves another password behind the RCPT."""

    async def script(peer: Peer) -> None:
        await peer.greet("AUTH PLAIN")
        await peer.hear("AUTH PLAIN ")
        await peer.say("235 2.7.0 Ok")
        await peer.hear("MAIL FROM:")
        port = running.port
        await desk.save(typed(port, password="Another-9", sender_display_name="Theirs"))
        await peer.say("250 2.1.0 Ok")
        await peer.hear("RCPT TO:")
        await peer.say("250 2.1.5 Ok")
        await peer.forget()

    async with relay(script) as running:
        await desk.save(typed(running.port, password=PASSWORD))
        at_this_port = msgspec.structs.replace(wanted, port=running.port)
        return await desk.check(at_this_port, save_when_proven=True, **options)


async def test_a_change_during_the_check_is_a_conflict_for_who_has_seen_another(
    tmp_path: Path,
) -> None:
    async with bench(tmp_path) as desk:
        with pytest.raises(RevisionConflictError):
            await changed_meanwhile(desk, typed(0, password=PASSWORD), if_match=frozenset({1}))
        in_force = await desk.in_force()
    assert in_force.number == 2
    assert in_force.settings is not None
    assert in_force.settings.sender_display_name == "Theirs"


async def test_a_kept_password_that_was_changed_meanwhile_is_a_conflict(tmp_path: Path) -> None:
    async with bench(tmp_path) as desk:
        with pytest.raises(RevisionConflictError):
            await changed_meanwhile(desk, typed(0, password=""))
        assert (await desk.in_force()).number == 2


async def test_who_typed_everything_has_the_last_word(tmp_path: Path) -> None:
    async with bench(tmp_path) as desk:
        checked = await changed_meanwhile(desk, typed(0, password=PASSWORD))
        in_force = await desk.in_force()
        assert in_force.settings is not None
        assert in_force.sealed_password is not None
        place = in_force.settings.destination(desk.portal.id)
        opened = desk.parts.key_ring.open(in_force.sealed_password, place)
    assert (checked.saved, checked.revision, in_force.number) == (True, 3, 3)
    assert in_force.settings.sender_display_name is None
    assert opened == Secret(PASSWORD)


# Its end.


async def test_a_check_that_is_given_up_leaves_no_connection(tmp_path: Path) -> None:
    reached = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.say(f"220 {HOST} ESMTP")
        await peer.hear("EHLO ")
        reached.set()
        assert await peer.is_left()

    async with bench(tmp_path) as desk, relay(script) as running:
        checking = asyncio.create_task(desk.check(typed(running.port)))
        await asyncio.wait_for(reached.wait(), 10)
        checking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await checking
        await running.finished()


def test_a_check_has_half_a_minute(tmp_path: Path) -> None:
    async def checking(port: int) -> tuple[Checked, float]:
        clock = LoopClock(START)
        async with bench(tmp_path, clock=clock) as desk:
            began = clock.monotonic()
            checked = await desk.check(typed(port))
            return checked, clock.monotonic() - began

    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        asyncio.Runner(loop_factory=partial(QuickLoop, 20)) as runner,
    ):
        checked, seconds = runner.run(checking(silent.getsockname()[1]))
    assert checked.failure is not None
    assert (checked.failure.step, checked.failure.code) == (Step.GREETING, Code.TIMED_OUT)
    assert DEADLINE_SECONDS == 30
    assert 30 <= seconds < 35


async def test_who_no_longer_wants_to_hear_ends_the_check(tmp_path: Path) -> None:
    async with bench(tmp_path) as desk, relay(clear) as running:
        prepared = await desk.prepare(typed(running.port))

        async def told(_step: object) -> None:
            raise ConnectionResetError

        with pytest.raises(ConnectionResetError):
            await desk.run(prepared, told)
    assert running.peers == []
