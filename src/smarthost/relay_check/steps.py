"""Follows the steps of a check: tells each as it begins and ends, and keeps how it ended."""

from collections.abc import Awaitable, Callable, Mapping

from smarthost.clock import Clock
from smarthost.delivery.outcome import Code, Step, StepState
from smarthost.relay_check.model import StepTold

LAST = Step.RECIPIENT
"""The last step of a check: behind it the message itself would leave."""

TellStep = Callable[[StepTold], Awaitable[None]]
"""Is told of each step as it begins and ends, and waited for."""


class Steps:
    """The steps of one check; a `delivery.outcome.Report`."""

    def __init__(self, told: TellStep, clock: Clock) -> None:
        self.ended: list[StepTold] = []
        self._told = told
        self._clock = clock
        self._begun = clock.monotonic()

    async def __call__(self, step: Step, state: StepState, seen: Mapping[str, object]) -> None:
        """Take notice of a step; one that is skipped takes no time."""
        if state is StepState.BEGIN:
            await self._told(StepTold(step=step, state=state, milliseconds=None, seen={}))
            # Only now: what the telling takes is not the relay's time.
            self._begun = self._clock.monotonic()
            return
        seconds = self._clock.monotonic() - self._begun
        taken = 0.0 if state is StepState.SKIPPED else round(1000 * seconds, 1)
        end = StepTold(step=step, state=state, milliseconds=taken, seen=dict(seen))
        self.ended.append(end)
        await self._told(end)

    def all(self) -> tuple[StepTold, ...]:
        """Return those that ended, and then those that were not reached."""
        reached = {one.step for one in self.ended}
        vocabulary = list(Step)
        missed = [
            StepTold(step=step, state=StepState.SKIPPED, milliseconds=0.0, seen={})
            for step in vocabulary[: vocabulary.index(LAST) + 1]
            if step not in reached
        ]
        return (*self.ended, *missed)

    def warnings(self) -> list[tuple[Step, Code]]:
        """Return what the steps warned of, each code once, at the first step that did."""
        found: dict[Code, Step] = {}
        for one in self.ended:
            codes = one.seen.get("warnings", [])
            assert isinstance(codes, list)  # noqa: S101 - `delivery.progress` wrote it
            for code in codes:
                found.setdefault(Code(code), one.step)
        return [(step, code) for code, step in found.items()]

    def tls(self) -> str | None:
        """Return the version of TLS that stood last, None in clear."""
        versions = [one.seen["version"] for one in self.ended if "version" in one.seen]
        return str(versions[-1]) if versions else None
