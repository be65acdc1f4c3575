"""Follows a message that was accepted until nothing more happens to it by itself.

That may be days: what keeps it waiting is told on standard error, and whoever does not want to
wait for the rest stops looking. The message stays in the queue.
"""

from smarthost.app.parts import Parts
from smarthost.cli.message_values import attempts_of, failure_of_hold, hold_of
from smarthost.cli.message_words import last_failures
from smarthost.cli.progress_bar import Show, say
from smarthost.mail_queue.accepted.model import Message, NoSuchMessageError
from smarthost.mail_queue.model import State

_LOOK_SECONDS = 0.2
_PERCENTS = {State.QUEUED: 20.0, State.SENDING: 60.0}
_WORDS = {State.QUEUED: "Waiting", State.SENDING: "Being sent"}


class Following:
    """Looks at one message, and tells of it."""

    def __init__(self, parts: Parts, show: Show) -> None:
        self._parts = parts
        self._show = show
        self._told: set[tuple[str, int]] = set()

    async def to_its_end(self, portal_id: str, message_id: str) -> Message:
        """Return the message once each recipient has ended, or waits for a person.

        Raises `NoSuchMessageError` when it is gone, and `StoreUnavailableError`.
        """
        while True:
            message = await self._parts.delivery.messages.get(portal_id, message_id)
            if message is None:
                raise NoSuchMessageError
            self._show(*_progress(message))
            if all(one.state not in _PERCENTS for one in message.recipients):
                return message
            for line in await self._news(message):
                say(f"smarthost: {line}", error=True)
            await self._parts.clock.sleep(_LOOK_SECONDS)

    async def _news(self, message: Message) -> list[str]:
        """Return what keeps the message waiting, each failure once."""
        waiting = {
            (one.address, one.attempts)
            for one in message.recipients
            if one.state is State.QUEUED and one.code is not None
        }
        if new := waiting - self._told:
            self._told |= new
            failures = last_failures(await attempts_of(self._parts, message))
            return [
                f"{address} waits for another try. {failures[address].text}"
                for address, _ in sorted(new)
                if address in failures
            ]
        return [] if self._told else await self._hold(message.portal_id)

    async def _hold(self, portal_id: str) -> list[str]:
        # Its own tries are told; this is for a message that the portal's other mail speaks for.
        hold = await hold_of(self._parts, portal_id)
        if hold is None:
            return []
        self._told.add((portal_id, 0))
        failure = await failure_of_hold(self._parts, hold)
        return [f"All mail of the portal waits for its mail server. {failure.text}"]


def _progress(message: Message) -> tuple[float, str]:
    """Return how far it is in percents, and in words what the slowest recipient waits for."""
    states = [one.state for one in message.recipients]
    percents = [_PERCENTS.get(state, 100.0) for state in states]
    words = next((_WORDS[state] for state in _WORDS if state in states), "Done")
    if len(states) > 1:
        words += f" ({percents.count(100.0)} of {len(states)} have ended)"
    return sum(percents) / len(percents), words
