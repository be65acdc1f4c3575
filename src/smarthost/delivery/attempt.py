"""The only way out to a relay: what sends mail, proves settings or tries them asks here.

An expected failure is a value, an outcome for each recipient; an exception is a fault of our own.
The steps are told as they happen, to whoever follows them.
"""

from collections import deque
from collections.abc import Sequence

from smarthost.clock import Clock
from smarthost.delivery.hand_over import HandOver, SessionGoneError
from smarthost.delivery.outcome import Outcome, Report, Step
from smarthost.delivery.pool import Pool, Session
from smarthost.delivery.progress import EnoughError, Progress, StoppedError
from smarthost.delivery.relay import RelaySettings
from smarthost.mail.envelope import Envelope


async def attempt(
    settings: RelaySettings,
    envelopes: Sequence[Envelope],
    *,
    connections: Pool,
    clock: Clock,
    report: Report,
    until: Step = Step.DATA,
    fresh: bool = False,
    deadline_seconds: float,
) -> list[Outcome]:
    """Hand envelopes to one relay, one after the other over one session.

    Returns an outcome for each recipient of each envelope, in their order. The steps from the name
    to the login are reported once, or twice where TLS is given up or EHLO follows STARTTLS; those
    of the message once for each envelope. With TLS from the first byte TLS comes before GREETING.
    Of a session that was open already only the message's steps are told. Where it turns out to be
    gone it is replaced by a new one, once for each envelope, and the steps are told from the name
    on.

    `fresh` makes a connection for this attempt alone. `until` ends the attempt after an earlier
    step: nothing is sent then, and only recipients that failed have an outcome. `deadline_seconds`
    is for the whole; each step also has its own limit.
    """
    progress = Progress(
        settings,
        report=report,
        clock=clock,
        until=until,
        deadline=clock.monotonic() + deadline_seconds,
    )
    trip = _Trip(settings, connections, progress)
    outcomes: list[Outcome] = []
    left = deque(envelopes)
    try:
        await trip.begin(fresh=fresh)
        while left:
            outcomes += await trip.hand_over(left[0])
            left.popleft()
    except EnoughError:
        pass
    except StoppedError as stop:
        outcomes += [
            progress.failed(recipient, stop.step, stop.fault)
            for envelope in left
            for recipient in envelope.recipients
        ]
    finally:
        trip.end()
    return outcomes


class _Trip:
    """The session that an attempt has at a time."""

    def __init__(self, settings: RelaySettings, connections: Pool, progress: Progress) -> None:
        self._settings = settings
        self._connections = connections
        self._progress = progress
        self._session: Session | None = None

    async def begin(self, *, fresh: bool) -> None:
        """Have a session. Raises `StoppedError` or `EnoughError`."""
        self._session = await self._connections.session(
            self._settings, self._progress, fresh=fresh
        )

    async def hand_over(self, envelope: Envelope) -> list[Outcome]:
        """Return the outcomes of one envelope. Raises `StoppedError`."""
        assert self._session is not None  # noqa: S101 - begun
        try:
            return await HandOver(self._session, envelope, self._progress).run()
        except SessionGoneError:
            gone, self._session = self._session, None
            self._session = await self._connections.another(gone, self._progress)
            return await HandOver(self._session, envelope, self._progress).run()

    def end(self) -> None:
        """Give the session back."""
        if self._session is not None:
            self._connections.give_back(self._session)
