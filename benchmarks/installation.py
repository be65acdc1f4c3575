"""What the benchmarks of the service make: an installation on either engine, portals, and mail.

All is made by the program's own parts, so that what is measured is what it writes. Of a great many
messages the first thousand come through the queue's door, and the others are copies of their rows
with earlier ids and times: a million through the door would take minutes.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import msgspec

from smarthost.app.parts import Parts, open_parts
from smarthost.audit.model import OPERATOR, Actor
from smarthost.config import Config, load_config
from smarthost.database.engine import Transaction
from smarthost.mail.envelope import Envelope
from smarthost.mail_queue.accepted.model import Details, Submission
from smarthost.portals.model import Permission, Portal, Role
from smarthost.smtp_settings.model import Draft, SmtpSettings

BASE_DOMAIN = "portals.example"
SENDER = "notify@example.com"
BY_OPERATOR = Actor(name=OPERATOR)
LINE = b"All work and no play makes a dull benchmark of every queue.\r\n"

_AT_ONCE = 1_000
# An id begins with its time: the first eight of its digits change once in 65.536 seconds.
_STEP_MICROSECONDS = (1 << 16) * 1_000
_COPY_MESSAGES = """
INSERT INTO messages (portal_id, id, kind, revision, accepted_at, accepted_by, owner, sender,
                      needs_smtputf8, needs_8bit, size, details, at_most_once, expires_at, dsn)
SELECT portal_id, CAST($4 AS TEXT) || substr(id, 9), kind, revision, accepted_at - $5, accepted_by,
       owner, sender, needs_smtputf8, needs_8bit, size, details, at_most_once, expires_at, dsn
FROM messages WHERE portal_id = $1 AND id >= $2 AND id < $3"""
_COPY_BODIES = """
INSERT INTO message_bodies (portal_id, message_id, content)
SELECT portal_id, CAST($4 AS TEXT) || substr(message_id, 9), content
FROM message_bodies WHERE portal_id = $1 AND message_id >= $2 AND message_id < $3"""
_COPY_RECIPIENTS = """
INSERT INTO recipients (portal_id, message_id, address, kind, state, due_at, scheduled_at,
                        attempts_count, deaths, in_doubt)
SELECT portal_id, CAST($4 AS TEXT) || substr(message_id, 9), address, kind, state, due_at - $5,
       scheduled_at, attempts_count, deaths, in_doubt
FROM recipients WHERE portal_id = $1 AND message_id >= $2 AND message_id < $3"""


class Made(NamedTuple):
    """A portal with settings, and a key of its administrator."""

    portal: Portal
    token: str

    @property
    def host(self) -> str:
        """The host name that a request names it by."""
        return f"{self.portal.name}.{BASE_DOMAIN}"


class Installation(msgspec.Struct, frozen=True, kw_only=True):
    """Where one is kept, whether it is made yet or not."""

    folder: Path
    url: str | None = None
    """Of its PostgreSQL database; None: SQLite in the folder."""
    settings: Mapping[str, str] = {}
    """Of the service, besides those that it has anyway."""

    def environment(self) -> dict[str, str]:
        """Return the settings of the service."""
        store = {} if self.url is None else {"SMARTHOST_DATABASE_URL": self.url}
        return {
            **store,
            "SMARTHOST_DATA_DIR": str(self.folder),
            "SMARTHOST_BASE_DOMAIN": BASE_DOMAIN,
            "SMARTHOST_HELO_NAME": "mail.example.com",
            "SMARTHOST_RELAY_NETWORKS": "any",
            # One user may ask 1,500 times a minute; the counting itself stays on.
            "SMARTHOST_RATE_LIMITS": "off",
            **self.settings,
        }

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Parts]:
        """Open it, made if it is not there."""
        async with open_parts(self._config(), create=True) as parts:
            yield parts

    def _config(self) -> Config:
        return load_config(
            self.environment(),
            working_directory=Path.cwd(),
            machine_name=socket.getfqdn,
            stderr_is_terminal=False,
        )


async def make_portal(parts: Parts, name: str, relay_host: str, relay_port: int) -> Made:
    """Make a portal whose mail goes to a relay of this machine."""
    return (await make_portals(parts, [name], settings_for(relay_host, relay_port)))[0]


async def make_portals(
    parts: Parts, names: Sequence[str], draft: Draft | None = None
) -> list[Made]:
    """Make portals with an administrator and a key each, and with settings where there are any."""
    made, tokens = [], []
    for name in names:
        portal = parts.portals.new_portal(name)
        user = parts.portals.new_user(portal.id, "admin@example.com", Role.ADMINISTRATOR, None)
        key, token = parts.keys.new_key(user, "bench", frozenset({Permission.ALL}), None)
        made.append((portal, user, key, token))
        tokens.append(Made(portal, token.text().reveal()))

    async def work(tx: Transaction) -> None:
        for portal, user, key, token in made:
            await parts.portals.insert_portal(tx, portal, BY_OPERATOR)
            await parts.portals.insert_user(tx, user, BY_OPERATOR)
            await parts.keys.insert(tx, key, token, BY_OPERATOR)

    await parts.database.transact(work)
    if draft is not None:
        saves = (parts.settings.save(portal.id, draft, BY_OPERATOR) for portal, *_ in made)
        await asyncio.gather(*saves)
    return tokens


def write_targets(installation: Installation, made: Sequence[Made]) -> Path:
    """Write the file of portals and keys that a script of wrk takes; return its path."""
    targets = installation.folder / "targets"
    targets.write_text("".join(f"{one.host} {one.token}\n" for one in made))
    return targets


def settings_for(host: str, port: int) -> Draft:
    """Return settings of a relay that asks for neither TLS nor a login."""
    settings = SmtpSettings(
        host=host,
        port=port,
        sender_address=SENDER,
        sender_display_name=None,
        user_name=None,
        enable_ssl=False,
        enable_auth=False,
        use_ntlm=False,
    )
    return Draft(settings=settings, password=None)


async def submit(parts: Parts, portal_id: str, submissions: Sequence[Submission]) -> None:
    """Put messages into the queue, through its door."""
    for first in range(0, len(submissions), _AT_ONCE):
        together = submissions[first : first + _AT_ONCE]
        await parts.delivery.intake.submit(portal_id, together, by=BY_OPERATOR, owner=None)


async def queue(parts: Parts, portal_id: str, count: int) -> None:
    """Put so many short messages into the queue, all due."""
    await submit(parts, portal_id, [_submission(parts.ids.new()) for _ in range(count)])


async def queue_many(parts: Parts, portal_id: str, count: int) -> None:
    """Put so many short messages into the queue of a portal that has none, most as copies."""
    if count < _AT_ONCE:
        await queue(parts, portal_id, count)
        return
    head = int(parts.ids.new()[:8], 16)
    seeds = [f"{head:08x}{parts.ids.new()[8:]}" for _ in range(_AT_ONCE)]
    await submit(parts, portal_id, [_submission(seed) for seed in seeds])
    between = (f"{head:08x}", f"{head + 1:08x}")

    async def copy(back: int, tx: Transaction) -> None:
        values = (portal_id, *between, f"{head - back:08x}")
        earlier = back * _STEP_MICROSECONDS
        await tx.execute(_COPY_MESSAGES, *values, earlier)
        await tx.execute(_COPY_BODIES, *values)
        await tx.execute(_COPY_RECIPIENTS, *values, earlier)

    for back in range(1, count // _AT_ONCE):
        await parts.database.transact(partial(copy, back))
    await queue(parts, portal_id, count % _AT_ONCE)


def _submission(message_id: str) -> Submission:
    content = b"From: %s\r\nSubject: Benchmark\r\n\r\n" % SENDER.encode() + LINE * 3
    return submission(message_id, "reader@example.org", content)


def submission(message_id: str, recipient: str, content: bytes) -> Submission:
    """Return what the queue takes in: one message for one recipient."""
    envelope = Envelope(
        sender=SENDER,
        recipients=(recipient,),
        content=content,
        needs_smtputf8=False,
        needs_8bit=False,
    )
    return Submission(id=message_id, envelope=envelope, details=Details(subject="Benchmark"))
