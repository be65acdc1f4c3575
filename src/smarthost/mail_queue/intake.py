"""The door of the queue: what is accepted is on the disk before anybody is told so.

Whatever brings messages, they come through here; all that come together are kept in one
transaction with all their recipients and the answer that is given. The bytes were made final
before; the queue changes nothing in them.
"""

from collections.abc import Awaitable, Callable, Sequence

from smarthost.audit.model import Actor
from smarthost.database.engine import Database, Transaction
from smarthost.ids import Ids
from smarthost.mail.envelope import Envelope
from smarthost.mail_queue.accepted.model import (
    LARGEST_MESSAGE,
    MOST_RECIPIENTS,
    Idempotency,
    NotAcceptableError,
    Submission,
)
from smarthost.mail_queue.arrivals.store import Arrival, ArrivalStore
from smarthost.mail_queue.model import Kind

Accepted = Callable[[int, int], None]
"""Is told how many messages with how many recipients were accepted together."""

Beside = Callable[[Transaction], Awaitable[None]]
"""Does something in the transaction that keeps the messages; what it raises keeps them out."""


def _nobody(_messages: int, _recipients: int) -> None:
    """Count nothing."""


class Intake:
    """Takes messages in.

    What it raises of the store's errors is `StoreUnavailableError`, and of these
    `StoreFullError` where the disk has too little room left for more than the outcomes of what
    it holds already; with all of them nothing was accepted.
    """

    def __init__(
        self,
        database: Database,
        store: ArrivalStore,
        ids: Ids,
        wake: Callable[[], None],
        accepted: Accepted = _nobody,
    ) -> None:
        """`wake` tells this process's worker, if it has one, that something is due.

        `accepted` is told of what was accepted, once it is durable.
        """
        self._database = database
        self._store = store
        self._ids = ids
        self._wake = wake
        self._accepted = accepted

    async def submit(
        self,
        portal_id: str,
        submissions: Sequence[Submission],
        *,
        by: Actor,
        owner: str | None,
        idempotency: Idempotency | None = None,
        kind: Kind = Kind.MAIL,
        beside: Beside | None = None,
    ) -> bytes | None:
        """Accept all of the messages, or none; return once they are durable, with `beside`.

        `owner` is the credential that they came with, `key:<id>` or `user:<id>`; None: the
        operator's. If the same owner has used the idempotency key for the same request before,
        nothing is accepted, and the answer given then is returned; else None. Raises
        `IdempotencyMismatchError` where it was another request, and `NotAcceptableError`.
        """
        self._check([submission.envelope for submission in submissions])
        arrival = Arrival(portal_id=portal_id, kind=kind, by=by.name, owner=owner)

        async def work(tx: Transaction) -> bytes | None:
            if idempotency is not None:
                given = await self._store.remember(tx, portal_id, owner, idempotency)
                if given is not None:
                    return given
            if beside is not None:
                await tx.lock(portal_id)
                await beside(tx)
            await self._store.insert(tx, arrival, submissions)
            return None

        given = await self._database.transact(work)
        if given is None:
            self._wake()
            recipients = sum(len(one.envelope.recipients) for one in submissions)
            self._accepted(len(submissions), recipients)
        return given

    async def replay(
        self, portal_id: str, owner: str | None, key: str, digest: bytes
    ) -> bytes | None:
        """Return the answer that the same request got before, None if there was none.

        For a look before anything else is done: only `submit` is sure of it. Raises
        `IdempotencyMismatchError` where the key was used for another request.
        """
        return await self._store.remembered(portal_id, owner, key, digest)

    async def submit_test(
        self, portal_id: str, envelope: Envelope, *, revision: int, by: Actor
    ) -> str:
        """Accept a test of the settings' `revision`, and return its id once it is durable.

        While one of the portal's tests runs there is no other: then nothing is accepted, and the
        id is that of the running one. Raises `NotAcceptableError`.
        """
        self._check([envelope])
        message_id = self._ids.new()
        arrival = Arrival(
            portal_id=portal_id, kind=Kind.TEST, by=by.name, owner=None, revision=revision
        )

        async def work(tx: Transaction) -> str:
            await tx.lock(portal_id)
            running = await self._store.running_test(tx, portal_id)
            if running is not None:
                return running
            await self._store.insert_test(tx, arrival, message_id, envelope)
            return message_id

        accepted = await self._database.transact(work)
        self._wake()
        if accepted == message_id:
            self._accepted(1, len(envelope.recipients))
        return accepted

    def _check(self, envelopes: Sequence[Envelope]) -> None:
        for envelope in envelopes:
            if not envelope.recipients:
                raise NotAcceptableError("A message needs a recipient.")
            if len(envelope.recipients) > MOST_RECIPIENTS:
                raise NotAcceptableError(
                    f"A message can have {MOST_RECIPIENTS} recipients; this one has "
                    f"{len(envelope.recipients)}. Send it as several messages."
                )
            if len(envelope.content) > LARGEST_MESSAGE:
                raise NotAcceptableError(
                    f"A message can have {LARGEST_MESSAGE >> 20} MiB with its attachments as they "
                    "are sent, which is a third more than their files. Send less at once."
                )
        self._database.check_room(sum(len(envelope.content) for envelope in envelopes))
