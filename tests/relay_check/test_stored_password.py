"""The stored password goes to the relay that it was saved for, whatever is checked or raced."""

import asyncio
import base64
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from smarthost.config.values import parse_relay_networks
from smarthost.database.engine import Database
from smarthost.delivery.outcome import Code
from smarthost.portals.model import Portal
from smarthost.portals.store import PortalStore
from smarthost.relay_check.model import Checked
from smarthost.secret import Secret
from smarthost.smtp_settings.model import (
    Draft,
    InvalidSettingsError,
    RevisionConflictError,
    SettingsInput,
    SmtpSettings,
)
from smarthost.smtp_settings.rules import NOTHING_STORED, check
from smarthost.smtp_settings.store import SettingsStore
from tests.connections import watched_connections
from tests.engines import executing
from tests.relay_check.gates import Gate, Names, gate
from tests.relay_check.trials import BY, TO
from tests.smtp.relays import Peer, Relay, relay
from tests.smtp_settings.relays import CANARY

MUTATIONS = 4_000
RACES = 50
USER, OTHER = "notify", "An0ther-Passw0rd"
HERE, THERE = "127.0.0.1", "127.0.0.2"
LOOPBACK = parse_relay_networks("127.0.0.0/8")


async def lets_in(peer: Peer, mechanisms: str = "PLAIN LOGIN") -> None:
    """Play a relay that lets everybody in, and keeps what it hears."""
    await peer.greet("AUTH " + mechanisms)
    while (line := await peer.hear()) != "QUIT":
        await peer.say("235 2.7.0 Welcome" if line.startswith("AUTH ") else "250 2.0.0 Ok")
    await peer.say("221 2.0.0 Bye")


def logins(at: Relay) -> list[str]:
    """Return the passwords that a relay has heard."""
    heard = [line.split() for peer in at.peers for line in peer.lines]
    told = [base64.b64decode(words[2]) for words in heard if words[0] == b"AUTH"]
    return [response.decode().split("\0")[2] for response in told]


class Two:
    """The relay that the password is for, another one, and the way to both."""

    def __init__(self, own: Relay, other: Relay, way: Gate) -> None:
        self.own = own
        self.other = other
        self.way = way

    @property
    def saved(self) -> SmtpSettings:
        return SmtpSettings(
            host=HERE,
            port=self.own.port,
            sender_address="notify@example.com",
            sender_display_name=None,
            user_name=USER,
            enable_ssl=False,
            enable_auth=True,
            use_ntlm=False,
        )


@asynccontextmanager
async def two(settings: SettingsStore, folder: Path) -> AsyncIterator[Two]:
    """The other relay has the same port at another address."""
    async with (
        relay(lets_in) as own,
        relay(lets_in, host=THERE, port=own.port) as other,
        gate(LOOPBACK, Names(), settings, folder) as way,
    ):
        yield Two(own, other, way)


@pytest.fixture
async def pair(settings: SettingsStore, portal: Portal, tmp_path: Path) -> AsyncIterator[Two]:
    async with two(settings, tmp_path) as made:
        await settings.save(portal.id, Draft(settings=made.saved, password=Secret(CANARY)), BY)
        yield made


def typed(settings: SmtpSettings, password: str | None = None, **changes: Any) -> SettingsInput:
    values = msgspec.structs.asdict(settings) | changes
    del values["oauth2"]  # there are other ways to it
    return SettingsInput(**values, password=None if password is None else Secret(password))


def code_of(checked: Checked) -> Code | None:
    return None if checked.failure is None else checked.failure.code


CHANGES: list[dict[str, Any]] = [
    {"host": THERE},
    {"host": "::1"},
    {"port": 25},
    {"port": None},
    {"enable_ssl": True},
    {"use_ntlm": True},
    {"user_name": "Notify"},
    {"user_name": "notify2"},
    {"host": THERE, "sender_address": "x@example.org"},
]


@pytest.mark.parametrize("changes", CHANGES, ids=str)
async def test_with_another_destination_the_stored_password_is_none(
    pair: Two, portal: Portal, changes: dict[str, Any]
) -> None:
    with watched_connections() as connections, pytest.raises(InvalidSettingsError) as refused:
        await pair.way.checked(portal, typed(pair.saved, **changes))
    assert refused.value.faults == {"password": [NOTHING_STORED]}
    assert connections == []


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"sender_address": "other@example.org"},
        {"sender_display_name": "Postman"},
        {"host": "127.0.0.1."},
        {"user_name": " notify "},
    ],
    ids=str,
)
async def test_with_the_same_destination_the_stored_password_is_used(
    pair: Two, portal: Portal, changes: dict[str, Any]
) -> None:
    assert (await pair.way.checked(portal, typed(pair.saved, **changes))).ok
    assert (logins(pair.own), pair.other.peers) == ([CANARY], [])


async def test_another_relay_is_told_the_password_that_was_typed_and_no_other(
    pair: Two, portal: Portal
) -> None:
    assert (await pair.way.checked(portal, typed(pair.saved, OTHER, host=THERE))).ok
    assert (logins(pair.own), logins(pair.other)) == ([], [OTHER])
    assert (await pair.way.checked(portal, None)).ok
    assert (logins(pair.own), logins(pair.other)) == ([CANARY], [OTHER])


async def test_without_a_login_no_relay_is_told_a_password(pair: Two, portal: Portal) -> None:
    for host in (HERE, THERE):
        changed = typed(pair.saved, host=host, enable_auth=False)
        assert (await pair.way.checked(portal, changed)).ok
    assert logins(pair.own) + logins(pair.other) == []


async def test_a_relay_that_wants_ntlm_alone_gets_neither_password_nor_hash(
    settings: SettingsStore, portal: Portal, tmp_path: Path
) -> None:
    async with (
        relay(lambda peer: lets_in(peer, "NTLM GSSAPI")) as only_ntlm,
        gate(LOOPBACK, Names(), settings, tmp_path) as way,
    ):
        saved = Two(only_ntlm, only_ntlm, way).saved
        checked = await way.checked(portal, typed(saved, CANARY))
        await settings.save(portal.id, Draft(settings=saved, password=Secret(CANARY)), BY)
        stored = await way.checked(portal, None)
        with pytest.raises(InvalidSettingsError):
            await way.checked(portal, typed(saved, use_ntlm=True))
    assert code_of(checked) == code_of(stored) == Code.LOGIN_NOT_OFFERED
    heard = [line for peer in only_ntlm.peers for line in peer.lines]
    assert len(only_ntlm.peers) == 2
    assert not any(b"AUTH" in line or b"NTLM" in line for line in heard)


def mutations(saved: SmtpSettings, luck: random.Random) -> Iterator[SettingsInput]:
    """Give what somebody might type who wants the password to go elsewhere."""
    values: dict[str, list[Any]] = {
        "host": [THERE, "127.1", "127.0.0.1.", "localhost", "::ffff:127.0.0.1", "", "@" + HERE],
        "port": [None, 0, 25, saved.port - 1, saved.port + 65536, -saved.port],
        "user_name": ["", None, "Notify", " notify", "notify\0", "notify ", "nоtify", "NOTIFY"],  # noqa: RUF001
        "enable_ssl": [True],
        "use_ntlm": [True],
        "enable_auth": [False],
        "sender_address": ["other@example.org", "", "x"],
        "sender_display_name": ["Postman", "\n"],
    }  # fmt: skip
    while True:
        names = luck.sample(sorted(values), luck.choice((0, 1, 1, 1, 2, 3, 5)))
        password = luck.choice((None, None, "", OTHER))
        yield typed(saved, password, **{name: luck.choice(values[name]) for name in names})


def _place(settings: SmtpSettings) -> tuple[object, ...]:
    return (
        settings.host,
        settings.port,
        settings.enable_ssl,
        settings.use_ntlm,
        settings.user_name,
    )


async def test_no_mutation_of_the_settings_takes_the_password_elsewhere(
    pair: Two, portal: Portal
) -> None:
    given = mutations(pair.saved, random.Random(6))
    stood = refused = 0
    for _ in range(MUTATIONS):
        mutated = next(given)
        keeps = mutated.enable_auth and not (mutated.password and mutated.password.reveal())
        try:
            # With a password the rules are the same but for where it may come from.
            by_rules = check(msgspec.structs.replace(mutated, password=Secret("x")), None)
        except InvalidSettingsError:
            by_rules = None
        allowed = by_rules is not None and (
            not keeps or _place(by_rules.settings) == _place(pair.saved)
        )
        try:
            prepared = await pair.way.check.prepare(portal, mutated, TO, by=BY)
        except InvalidSettingsError:
            assert not allowed
            refused += 1
            continue
        assert allowed
        stood += keeps
        assert prepared.draft is not None
        assert prepared.draft.keeps_password == keeps
        if keeps:
            assert (await pair.way.check.run(prepared)).ok
    assert min(stood, refused) > MUTATIONS // 20
    assert logins(pair.own) == [CANARY] * stood
    assert pair.other.peers == []


async def test_saves_and_checks_that_race_never_mix_up_passwords(
    pair: Two, portal: Portal, settings: SettingsStore
) -> None:
    away = msgspec.structs.replace(pair.saved, host=THERE)
    drafts = [
        Draft(settings=away, password=Secret(OTHER)),
        Draft(settings=pair.saved, password=Secret(CANARY)),
    ]

    async def checked(what: SettingsInput | None, *, save: bool = False) -> None:
        try:
            prepared = await pair.way.check.prepare(portal, what, TO, by=BY, save_when_proven=save)
            await pair.way.check.run(prepared)
        except (InvalidSettingsError, RevisionConflictError):
            pass  # the other save was first

    for number in range(RACES):
        await asyncio.gather(
            checked(typed(pair.saved)),
            settings.save(portal.id, drafts[number % 2], BY),
            checked(typed(away)),
            checked(None),
            checked(typed(away, sender_display_name=str(number)), save=True),
            settings.save(portal.id, drafts[(number + 1) % 2], BY),
        )
    assert set(logins(pair.own)) == {CANARY}
    assert set(logins(pair.other)) == {OTHER}


# Each writes a revision that no save would, with the blob of the one in force.
_MOVED = """
INSERT INTO smtp_settings_revisions
    (portal_id, revision, action, saved_at, saved_by, host, port, sender_address,
     sender_display_name, user_name, enable_ssl, enable_auth, use_ntlm, sealed_password)
SELECT $1, 1 + (SELECT max(revision) FROM smtp_settings_revisions), action, saved_at, saved_by,
       $2, port, sender_address, sender_display_name, $3, enable_ssl, enable_auth, use_ntlm,
       sealed_password
FROM smtp_settings_revisions WHERE portal_id = $4"""


@pytest.mark.parametrize(("host", "user"), [(THERE, USER), (HERE, "root")])
async def test_a_row_that_was_altered_opens_for_no_check(
    pair: Two, portal: Portal, database: Database, host: str, user: str
) -> None:
    await database.transact(executing(_MOVED, portal.id, host, user, portal.id))
    altered = msgspec.structs.replace(pair.saved, host=host, user_name=user)
    with watched_connections() as connections:
        for what in (None, typed(altered)):
            assert code_of(await pair.way.checked(portal, what)) is Code.PASSWORD_UNREADABLE
    assert connections == []


async def test_a_blob_of_another_portal_opens_for_no_check(
    pair: Two, portal: Portal, portals: PortalStore, database: Database
) -> None:
    thief = await portals.create_portal("thief", BY)
    await database.transact(executing(_MOVED, thief.id, HERE, USER, portal.id))
    with watched_connections() as connections:
        for what in (None, typed(pair.saved)):
            assert code_of(await pair.way.checked(thief, what)) is Code.PASSWORD_UNREADABLE
    assert connections == []
