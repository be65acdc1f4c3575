"""The only way out to a relay: what sends mail, proves settings or tries them asks here.

An expected failure is a value, an outcome for each recipient; an exception is a fault of our own.
The steps are told as they happen, to whoever follows them.
"""

from collections.abc import Sequence

from smarthost.clock import Clock
from smarthost.delivery.hand_over import HandOver
from smarthost.delivery.outcome import Outcome, Report, Step
from smarthost.delivery.pool import Pool
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
    deadline_seconds: float,
) -> list[Outcome]:
    """Hand envelopes to one relay, one after the other over one session.

    Returns an outcome for each recipient of each envelope, in their order. The steps from the name
    to the login are reported once, or twice where TLS is given up or EHLO follows STARTTLS; those
    of the message once for each envelope. With TLS from the first byte TLS comes before GREETING.

    `until` ends the attempt after an earlier step: nothing is sent then, and only recipients that
    failed have an outcome. `deadline_seconds` is for the whole; each step also has its own limit.
    """
    progress = Progress(
        settings,
        report=report,
        clock=clock,
        until=until,
        deadline=clock.monotonic() + deadline_seconds,
    )
    try:
        session = await connections.session(settings, progress)
    except EnoughError:
        return []
    except StoppedError as stop:
        return [
            progress.failed(recipient, stop.step, stop.fault)
            for envelope in envelopes
            for recipient in envelope.recipients
        ]
    try:
        outcomes: list[Outcome] = []
        for index, envelope in enumerate(envelopes):
            hand_over = HandOver(session, envelope, progress)
            outcomes += await hand_over.run(after_another=index > 0)
        return outcomes
    finally:
        connections.give_back(session)
