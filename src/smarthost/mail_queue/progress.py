"""How far one attempt has come, on its row as well.

The row serves whoever watches a test, and whoever finds it after a crash. For the first a step
may be late, so steps are written now and then; for the second DATA is written before the message
leaves, and the attempt waits for it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from smarthost.delivery.outcome import Code, Step, StepState
from smarthost.mail_queue.model import BrokenOffError, Claim
from smarthost.mail_queue.store import ClaimLostError, QueueStore


class Progress:
    """Follows the attempt for one claim; `report` is what the attempt calls."""

    def __init__(
        self,
        store: QueueStore,
        claim: Claim,
        in_force: Callable[[], Awaitable[bool]],
        before_data: Callable[[], Awaitable[None]],
        after_data: Callable[[], None],
    ) -> None:
        """`in_force` tells whether the settings are still those that the claim is bound to.

        `before_data` is waited for before it is written that the message leaves; `after_data` is
        called when the relay has answered, before the connection is used for anything else.
        """
        self._store = store
        self._before_data = before_data
        self._after_data = after_data
        self._claim = claim
        self._in_force = in_force
        self._recorded: Step | None = None
        self._writing = asyncio.Lock()
        self.step: Step | None = None
        """The last step begun; DATA only once that is recorded."""

    async def report(
        self,
        step: Step,
        state: StepState,
        seen: Mapping[str, object],  # noqa: ARG002 - what a step saw is for those who look on
    ) -> None:
        """Take notice of a step.

        Where the message is about to leave it raises `BrokenOffError` if the settings are others
        by now, `ClaimLostError`, and `StoreUnavailableError`: then it must not leave.
        """
        if state is not StepState.BEGIN:
            if step is Step.DATA:
                self._after_data()
            return
        if step is Step.DATA:
            if not await self._in_force():
                raise BrokenOffError(Code.SETTINGS_CHANGED)
            await self._before_data()
            await self._write(step)
        self.step = step

    async def record(self) -> None:
        """Write the step down if it is a new one. Raises as `report` does."""
        if self.step is not None and self.step is not self._recorded:
            await self._write(self.step)

    async def _write(self, step: Step) -> None:
        async with self._writing:  # an earlier step must not land behind DATA
            if self._recorded is Step.DATA:
                return
            if not await self._store.record_step(self._claim, step):
                raise ClaimLostError
            self._recorded = step
