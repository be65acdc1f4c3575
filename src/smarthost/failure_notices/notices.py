"""Sends notices, for as long as it runs, in the process that delivers.

A message's recipients that ended since the last look make one notice. The notice goes through the
queue like the mail that it is about; it is there in the same moment in which nobody is to be told
any more, so it is sent once however often this process ends.
"""

from collections.abc import Callable
from functools import partial

import structlog

from smarthost.audit.model import Actor
from smarthost.clock import Clock
from smarthost.database.engine import StoreUnavailableError, Transaction
from smarthost.failure_notices.store import FailureNoticeStore
from smarthost.failure_notices.writer import FailureNoticeWriter
from smarthost.mail_queue.intake import Intake

log = structlog.get_logger("smarthost.failure_notices")

LOOK_SECONDS = 2.0

_IN_A_ROW = 20
"""So many notices of one portal, then it is another's turn."""
_BY = Actor(name="smarthost")


class _ToldAlreadyError(Exception):
    """Another process, which delivered meanwhile, has told of one of the recipients."""


class FailureNotices:
    """Tells senders what became of their mail."""

    def __init__(
        self,
        store: FailureNoticeStore,
        writer: FailureNoticeWriter,
        intake: Intake,
        clock: Clock,
        is_ours: Callable[[], bool],
    ) -> None:
        """`is_ours` tells whether this process is the one that delivers: one tells, not all."""
        self._store = store
        self._writer = writer
        self._intake = intake
        self._clock = clock
        self._is_ours = is_ours
        self._faulty: set[str] = set()

    async def run(self) -> None:
        """Send notices until cancelled."""
        while True:
            more = False
            if self._is_ours():
                try:
                    more = await self.send_round()
                except StoreUnavailableError as error:
                    log.warning("failure notices not sent", reason=str(error))
            if not more:
                await self._clock.sleep(LOOK_SECONDS)

    async def send_round(self) -> bool:
        """Send some notices of each portal; True if a portal may have more.

        Raises `StoreUnavailableError`; what was not sent then is sent the next time.
        """
        more = False
        portal_id = await self._store.next_portal("")
        while portal_id is not None:
            more |= await self._send_some(portal_id)
            portal_id = await self._store.next_portal(portal_id)
        return more

    async def _send_some(self, portal_id: str) -> bool:
        message_id = await self._store.next_message(portal_id, "")
        sent = 0
        while message_id is not None and sent < _IN_A_ROW:
            if message_id not in self._faulty:
                await self._send(portal_id, message_id)
                sent += 1
            message_id = await self._store.next_message(portal_id, message_id)
        return message_id is not None

    async def _send(self, portal_id: str, message_id: str) -> None:
        names = {"portal_id": portal_id, "message_id": message_id}
        try:
            await self._tell(portal_id, message_id)
        except StoreUnavailableError:
            raise
        except _ToldAlreadyError:
            log.info("failure notice sent by another process", **names)
        except Exception:
            # Not again before the next start: whatever it is, it would be so each time.
            self._faulty.add(message_id)
            log.exception("failure notice not sent by a fault of our own", **names)

    async def _tell(self, portal_id: str, message_id: str) -> None:
        addresses = await self._store.addresses(portal_id, message_id)
        notice = await self._writer.write(portal_id, message_id, addresses)
        if notice is None:
            await self._store.forget(portal_id, message_id, addresses)
            return
        await self._intake.submit(
            portal_id,
            [notice.submission],
            by=_BY,
            owner=notice.owner,
            beside=partial(self._take, portal_id, message_id, addresses),
        )
        log.info(
            "failure notice accepted",
            portal_id=portal_id,
            message_id=message_id,
            notice_id=notice.submission.id,
            recipients=len(addresses),
        )

    async def _take(
        self, portal_id: str, message_id: str, addresses: list[str], tx: Transaction
    ) -> None:
        if not await self._store.remove(tx, portal_id, message_id, addresses):
            raise _ToldAlreadyError
