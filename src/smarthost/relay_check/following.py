"""Follows a test message as steps, from the row that the worker writes, without starting one.

The row has the last step alone, at most a quarter of a second old. What lies before it on the way
that the settings lead has ended well; whether a relay was also asked for TLS that nobody asked for
is not told.
"""

from collections.abc import Iterator

from smarthost.clock import Clock
from smarthost.delivery.outcome import Step, StepState
from smarthost.relay_check.model import StepTold, TrialState
from smarthost.relay_check.steps import TellStep
from smarthost.relay_check.trial import Trial

LONGEST_SECONDS = 45.0
"""Above the time after which every test reads as ended."""
LOOK_SECONDS = 0.2


async def follow(trial: Trial, portal_id: str, clock: Clock, told: TellStep) -> TrialState | None:
    """Tell the steps of the portal's last test until it has ended, and return its state then.

    One that ended before is told at once, and another that starts meanwhile from its beginning.
    None: there never was a test. Raises `StoreUnavailableError`.
    """
    until = clock.monotonic() + LONGEST_SECONDS
    followed = None
    while (state := await trial.status(portal_id)) is not None:
        if followed != state.id:
            way = Way(await trial.path(portal_id, state))
            followed = state.id
        for step in way.news(state):
            await told(step)
        if state.completed or clock.monotonic() >= until:
            break
        await clock.sleep(LOOK_SECONDS)
    return state


class Way:
    """The steps of one test that `path` names, and how far they were told."""

    def __init__(self, path: tuple[Step, ...]) -> None:
        self._path = path
        self._ended = 0
        self._begun = 0

    def news(self, state: TrialState) -> Iterator[StepTold]:
        """Return what is to be told of a state that was not told yet."""
        if state.failure is not None:
            yield from self._passed(self._place(state.failure.step))
            yield _told(state.failure.step, StepState.FAILED)
        elif state.completed:
            yield from self._passed(len(self._path))
        elif state.step is not None and (place := self._place(state.step)) >= self._begun:
            yield from self._passed(place)
            self._begun = place + 1
            yield _told(state.step, StepState.BEGIN)

    def _place(self, step: Step) -> int:
        return self._path.index(step) if step in self._path else -1

    def _passed(self, place: int) -> Iterator[StepTold]:
        for step in self._path[self._ended : max(place, 0)]:
            yield _told(step, StepState.OK)
        self._ended = max(self._ended, place)


def _told(step: Step, state: StepState) -> StepTold:
    return StepTold(step=step, state=state, milliseconds=None, seen={})
