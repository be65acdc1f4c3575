"""Makes a notice for a hold: gathers what it says and whom it goes to, and seals the envelope."""

from smarthost.clock import MICROSECONDS, Clock
from smarthost.explanations.relay_shown import relay_shown
from smarthost.ids import Ids
from smarthost.mail.address import parse_address
from smarthost.mail.envelope import addressed
from smarthost.mail.mailbox import Mailbox
from smarthost.mail_queue.accepted.model import Details, Submission
from smarthost.mail_queue.accepted.store import MessageStore
from smarthost.mail_queue.holds.model import Hold
from smarthost.portals.model import Role
from smarthost.portals.store import PortalStore
from smarthost.relay_health.health import failure_of
from smarthost.relay_health.notice import notice, subject
from smarthost.smtp_settings.store import SettingsStore

MOST_ADMINISTRATORS = 100
"""How many of a portal's administrators are written to, the first ones."""
OF_USE_SECONDS = 24 * 3600
"""A notice that is not delivered by then is not sent: another may be due."""


class NoticeWriter:
    """Writes notices in the name of the installation."""

    def __init__(
        self,
        messages: MessageStore,
        portals: PortalStore,
        settings: SettingsStore,
        sender: Mailbox,
        clock: Clock,
        ids: Ids,
    ) -> None:
        """`sender` is that of the installation's relay."""
        self._messages = messages
        self._portals = portals
        self._settings = settings
        self._sender = sender
        self._clock = clock
        self._ids = ids

    async def write(self, hold: Hold) -> Submission | None:
        """Return the notice about a hold of a portal's own relay, None if nobody can get it.

        Nobody does whose portal is suspended.
        """
        portal = await self._portals.portal_by_id(hold.portal_id)
        to = await self._administrators(hold.portal_id)
        if portal is None or portal.suspended_at is not None or not to:
            return None
        revision = await self._settings.revision(portal.id, hold.revision)
        counts = await self._messages.counts(portal.id)
        now, notice_id = self._clock.now(), self._ids.new()
        message_id = f"<{notice_id}@{self._sender.address.domain}>"
        content = notice(
            portal_name=portal.name,
            hold=hold,
            # Of its own relay a portal may see everything.
            failure=failure_of(hold, relay_shown(revision, None)),
            waiting=counts.queued,
            sender=self._sender,
            to=to,
            message_id=message_id,
            at=now,
        )
        recipients = [mailbox.address for mailbox in to]
        return Submission(
            id=notice_id,
            envelope=addressed(content, sender=self._sender.address, recipients=recipients),
            details=Details(
                message_id=message_id,
                from_=str(self._sender),
                to=tuple(map(str, to)),
                subject=subject(portal.name),
            ),
            expires_at=now + OF_USE_SECONDS * MICROSECONDS,
        )

    async def _administrators(self, portal_id: str) -> list[Mailbox]:
        users = await self._portals.users(portal_id)
        emails = [user.email for user in users if user.role is Role.ADMINISTRATOR]
        return [Mailbox(address=parse_address(email)) for email in emails[:MOST_ADMINISTRATORS]]
