"""The gate before every relay: nothing knocks at what it keeps shut, and nothing is told of it."""

import itertools
import socket
import ssl
from collections.abc import Sequence
from pathlib import Path

import pytest
import trustme

from smarthost.config.values import parse_relay_networks
from smarthost.delivery.outcome import Code, Result, Step, StepState
from smarthost.portals.model import Portal
from smarthost.relay_check.model import Checked
from smarthost.smtp_settings.model import InvalidSettingsError, SettingsInput
from smarthost.smtp_settings.rules import check
from smarthost.smtp_settings.store import SettingsStore
from tests.authority import trust_everywhere
from tests.connections import watched_connections
from tests.delivery.attempts import Told
from tests.relay_check.gates import Names, gate
from tests.smtp.destinations import LISTED, Destination, forbidden
from tests.smtp.relays import HOST, Peer, relay, server_context

pytestmark = pytest.mark.one_engine

ATTEMPTS = 1_000
# An address that the operator allows, and the one that is tried to be had in its place.
ALLOWED, DENIED = "127.77.0.1", "127.0.0.1"
ALLOWED_NETWORKS = parse_relay_networks("127.77.0.0/16")


def typed(destination: Destination, *, ssl: bool = False) -> SettingsInput:
    return SettingsInput(
        host=destination.host,
        port=destination.port,
        sender_address="notify@example.com",
        enable_ssl=ssl,
    )


def told_of(outcome: Checked) -> tuple[Code | None, list[tuple[Step, StepState]]]:
    code = None if outcome.failure is None else outcome.failure.code
    return code, [(told.step, told.state) for told in outcome.steps]


_NOT_REACHED = list(Step)[1 : list(Step).index(Step.DATA)]
STOPPED = (
    Code.DESTINATION_FORBIDDEN,
    [(Step.RESOLVE, StepState.FAILED), *((step, StepState.SKIPPED) for step in _NOT_REACHED)],
)


@pytest.mark.parametrize("networks", ["public", LISTED])
async def test_nothing_connects_to_a_destination_that_is_forbidden(
    networks: str, settings: SettingsStore, portal: Portal, tmp_path: Path
) -> None:
    destinations = forbidden()
    assert len(destinations) > 300
    names = Names({one.name: one.answers for one in destinations if one.answers})
    looked_at = 0
    policy = parse_relay_networks(networks)
    async with gate(policy, names, settings, tmp_path) as way:
        with watched_connections() as connections:
            for destination in destinations:
                try:
                    checked = await way.checked(portal, typed(destination))
                except InvalidSettingsError:
                    continue
                looked_at += 1
                assert told_of(checked) == STOPPED, destination
                # Where a name leads inside is the inside's own.
                assert not checked.steps[0].seen
                draft = check(typed(destination), None)
                for fresh in (True, False):
                    told = Told()
                    outcome = await way.sent(portal, draft, fresh=fresh, told=told)
                    assert (outcome.result, outcome.code) == (Result.DEFERRED, STOPPED[0])
                    assert outcome.address is None
                    assert told.events == [
                        (Step.RESOLVE, StepState.BEGIN, {}),
                        (Step.RESOLVE, StepState.FAILED, {}),
                    ]
    assert looked_at > 200
    assert connections == []


async def test_the_watch_over_connections_sees_those_that_are_made(
    settings: SettingsStore, portal: Portal, tmp_path: Path
) -> None:
    with socket.create_server((ALLOWED, 0)) as listening, watched_connections() as connections:
        place = listening.getsockname()
        listening.close()
        async with gate("any", Names(), settings, tmp_path) as way:
            checked = await way.checked(portal, typed(Destination(*place)))
    assert told_of(checked)[0] is Code.CONNECTION_REFUSED
    assert connections == [place]


async def take(peer: Peer, context: ssl.SSLContext) -> None:
    """Play a relay that takes mail over TLS, or is only asked."""
    await peer.greet("STARTTLS")
    await peer.hear("STARTTLS")
    await peer.say("220 2.0.0 Go on")
    await peer.start_tls(context)
    await peer.answer_ehlo("8BITMIME")
    while (line := await peer.hear()) != "QUIT":
        if line == "DATA":
            await peer.say("354 Go on")
            await peer.hear_message()
        await peer.say("250 2.0.0 Ok")
    await peer.say("221 2.0.0 Bye")


class Rebinding:
    """Name servers of somebody who hopes that the second look differs from the first."""

    def __init__(self) -> None:
        self.given: list[Sequence[str]] = []
        self._answers = itertools.cycle(
            ([ALLOWED], [DENIED], [ALLOWED, DENIED], [ALLOWED], ["::1"], [DENIED, ALLOWED], [])
        )

    def __call__(self, host: str) -> Sequence[str]:
        assert host == HOST
        answer = next(self._answers)
        self.given.append(answer)
        if not answer:
            raise socket.gaierror(socket.EAI_AGAIN, "")
        return answer


async def test_a_name_whose_address_changes_leads_inside_in_none_of_1000_attempts(
    settings: SettingsStore, portal: Portal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ca, rebinding, server_names = trustme.CA(), Rebinding(), set[str]()
    trust_everywhere(ca, tmp_path, monkeypatch)
    context = server_context(ca, HOST)
    context.sni_callback = lambda _tls, name, _context: server_names.add(name)
    ended: list[Code | None] = []
    async with (
        relay(lambda peer: take(peer, context), host=ALLOWED) as there,
        relay(lambda peer: take(peer, context), host=DENIED, port=there.port) as inside,
        gate(ALLOWED_NETWORKS, rebinding, settings, tmp_path) as way,
    ):
        wanted = typed(Destination(HOST, there.port), ssl=True)
        draft = check(wanted, None)
        with watched_connections() as connections:
            for number in range(ATTEMPTS):
                if number % 3:
                    outcome = await way.sent(portal, draft, fresh=number % 3 == 1)
                    ended.append(outcome.code)
                else:
                    ended.append(told_of(await way.checked(portal, wanted))[0])
    codes = {(ALLOWED,): None, (): Code.NAME_LOOKUP_FAILED}
    expected = [codes.get(tuple(given), Code.DESTINATION_FORBIDDEN) for given in rebinding.given]
    assert ended == expected, "and each name was looked up once"
    assert connections == [(ALLOWED, there.port)] * ended.count(None)
    assert len(there.peers) == ended.count(None) > ATTEMPTS // 5
    assert inside.peers == []
    assert server_names == {HOST}


async def test_a_certificate_has_to_be_for_the_name_and_not_for_the_address(
    settings: SettingsStore, portal: Portal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ca = trustme.CA()
    trust_everywhere(ca, tmp_path, monkeypatch)
    context = server_context(ca, ALLOWED)
    async with (
        relay(lambda peer: take(peer, context), host=ALLOWED) as there,
        gate(ALLOWED_NETWORKS, Names({HOST: [ALLOWED]}), settings, tmp_path) as way,
    ):
        by_name = await way.checked(portal, typed(Destination(HOST, there.port), ssl=True))
        by_address = await way.checked(portal, typed(Destination(ALLOWED, there.port), ssl=True))
    assert told_of(by_name)[0] is Code.CERTIFICATE_WRONG_NAME
    assert by_address.ok
