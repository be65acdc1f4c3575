"""The door of the queue: what is accepted is on the disk before anybody is told so.

Whatever brings a message, it comes through here and is kept in one transaction with all its
recipients. The bytes were made final before; the queue changes nothing in them.
"""

from collections.abc import Callable

from smarthost.audit.model import Actor
from smarthost.database.engine import Database, Transaction
from smarthost.ids import Ids
from smarthost.mail.envelope import Envelope
from smarthost.mail_queue.model import Kind
from smarthost.mail_queue.store import QueueStore


class Intake:
    """Takes messages in."""

    def __init__(
        self, database: Database, store: QueueStore, ids: Ids, wake: Callable[[], None]
    ) -> None:
        """`wake` tells this process's worker, if it has one, that something is due."""
        self._database = database
        self._store = store
        self._ids = ids
        self._wake = wake

    async def submit(
        self,
        portal_id: str,
        envelope: Envelope,
        *,
        kind: Kind,
        revision: int | None = None,
        by: Actor,
    ) -> str:
        """Accept a message and return its id once it is durable.

        A test names the settings' `revision` that it proves. While one of the portal's tests
        runs there is no other: then nothing is accepted, and the id is that of the running one.
        Raises `StoreUnavailableError`, with which nothing was accepted, and `ValueError` for an
        envelope without recipients.
        """
        if not envelope.recipients:
            raise ValueError("an envelope needs a recipient")
        message_id = self._ids.new()

        async def work(tx: Transaction) -> str:
            if kind is Kind.TEST:
                running = await self._store.running_test(tx, portal_id)
                if running is not None:
                    return running
            await self._store.insert(
                tx, portal_id, message_id, envelope, kind=kind, revision=revision, by=by.name
            )
            return message_id

        accepted = await self._database.transact(work)
        self._wake()
        return accepted
