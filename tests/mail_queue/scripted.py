"""An attempt that goes as a test has written it, and waiting for what it does."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

from smarthost.database.engine import Database, StoreUnavailableError, T, Value, Work
from smarthost.delivery.outcome import Outcome, Report, Step, StepState
from smarthost.delivery.relay import RelaySettings
from smarthost.mail.envelope import Envelope
from tests.mail_queue.messages import outcome
from tests.passing_on import PassingOn

Condition = Callable[[], Awaitable[bool]]
Script = Callable[[RelaySettings, Envelope, Report], Awaitable[Sequence[Outcome]]]
_PATIENCE = 10.0


async def until(condition: Condition) -> None:
    """Wait for something that another task or thread does; for ten seconds at the most."""
    end = time.monotonic() + _PATIENCE
    while not await condition():
        assert time.monotonic() < end, "it has not happened"
        await asyncio.sleep(0.001)


async def accept_all(
    _settings: RelaySettings, envelope: Envelope, report: Report
) -> Sequence[Outcome]:
    await report(Step.DATA, StepState.BEGIN, {})
    await report(Step.DATA, StepState.OK, {})
    return [outcome(recipient) for recipient in envelope.recipients]


class Scripted:
    """Follows `script` and remembers what it was asked for."""

    def __init__(self, script: Script = accept_all) -> None:
        self.script = script
        self.asked: list[tuple[RelaySettings, Envelope]] = []
        self.deadlines: list[float] = []
        self.fresh: list[bool] = []
        self.ended = 0

    async def __call__(
        self,
        settings: RelaySettings,
        envelopes: Sequence[Envelope],
        *,
        report: Report,
        deadline_seconds: float,
        fresh: bool,
    ) -> Sequence[Outcome]:
        (envelope,) = envelopes
        self.fresh.append(fresh)
        self.asked.append((settings, envelope))
        self.deadlines.append(deadline_seconds)
        try:
            return await self.script(settings, envelope, report)
        finally:
            self.ended += 1


class Held:
    """Begins `steps`, then waits until it is let go; `reached` tells that it waits."""

    def __init__(self, *steps: Step) -> None:
        self._steps = steps
        self.reached = asyncio.Event()
        self.go = asyncio.Event()

    async def __call__(
        self, settings: RelaySettings, envelope: Envelope, report: Report
    ) -> Sequence[Outcome]:
        for step in self._steps:
            await report(step, StepState.BEGIN, {})
            if step is not self._steps[-1]:
                await report(step, StepState.OK, {"of": step.value})
        self.reached.set()
        await self.go.wait()
        return await accept_all(settings, envelope, report)


class Faltering(PassingOn):
    """A store that can be read but not changed while it is `full`."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.full = False

    async def execute(self, sql: str, *values: Value) -> int:
        if self.full:
            raise StoreUnavailableError("the disk is full")
        return await super().execute(sql, *values)

    async def transact(self, work: Work[T]) -> T:
        if self.full:
            raise StoreUnavailableError("the disk is full")
        return await super().transact(work)
