"""All of a portal's mail, for tests that look at what there is."""

from collections.abc import Sequence
from typing import Any

from smarthost.mail_queue.accepted.model import Message
from smarthost.mail_queue.mail_log.log import MailLog
from smarthost.mail_queue.mail_log.model import Wanted


async def every_message(log: MailLog, portal_id: str, **wanted: Any) -> Sequence[Message]:
    """Return the messages that are meant, newest first; there must be no more than 1,000."""
    page = await log.page(portal_id, Wanted(**wanted), at_most=1_000, now=0, on_hold=False)
    assert page.next is None
    return page.messages
