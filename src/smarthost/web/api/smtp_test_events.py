"""The portal's test message as events: followed, never started.

A browser's EventSource connects again by itself whenever a stream ends. Were the test started
here, each time would send another message.
"""

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from smarthost.clock import Clock
from smarthost.portals.access import Action
from smarthost.portals.model import Caller
from smarthost.relay_check.following import follow
from smarthost.relay_check.model import StepTold, TrialState
from smarthost.relay_check.trial import Trial
from smarthost.web.api.smtp_check_dto import CheckStepDto, step_dto
from smarthost.web.api.smtp_settings import PATH, TAG
from smarthost.web.api.smtp_test import SmtpOperationStatusDto, operation_dto
from smarthost.web.event_stream import Event, Tell
from smarthost.web.failure_dto import FailureDto, failure_dto
from smarthost.web.operations import Call, Events, Example, Operation


class SmtpTestResultDto(SmtpOperationStatusDto, frozen=True, kw_only=True):
    """How far the test message is, and why it failed."""

    failure: Annotated[
        FailureDto | UnsetType, Meta(description="The same as `error`, part by part.")
    ] = UNSET


class SmtpTestEventsApi:
    """The end point."""

    def __init__(self, trial: Trial, clock: Clock) -> None:
        self._trial = trial
        self._clock = clock

    async def follow(self, call: Call[Caller]) -> Events:
        """Tell the steps of the portal's last test, and its state at the end."""

        async def work(tell: Tell) -> None:
            async def told(step: StepTold) -> None:
                await tell(Event(name="step", value=step_dto(step)))

            state = await follow(self._trial, call.portal.id, self._clock, told)
            await tell(Event(name="result", value=None if state is None else _result_dto(state)))

        return Events(work=work)

    def operations(self) -> list[Operation]:
        """Return the rows of the table of operations."""
        return [
            Operation(
                operation_id="followSmtpTest",
                method="GET",
                path=f"{PATH}/test/events",
                tag=TAG,
                summary="Follow the test message",
                description="The portal's last test as events: a `step` as each is seen to begin "
                "and to end, then one `result` with the test's state, null if there never was a "
                "test. What a step saw is not known, nor how long it took. Of a test that has "
                "ended, all at once. No test is started here.",
                handler=self.follow,
                action=Action.READ_SETTINGS,
                answer=None,
                events={"step": CheckStepDto, "result": SmtpTestResultDto | None},
                answer_examples={"step": _STEP, "failed": _FAILED, "never": _NEVER},
            )
        ]


def _result_dto(state: TrialState) -> SmtpTestResultDto:
    failure = UNSET if state.failure is None else failure_dto(state.failure)
    return SmtpTestResultDto(**msgspec.structs.asdict(operation_dto(state)), failure=failure)


_STEP = Example(
    summary="A step has ended",
    value=("step", {"step": "resolve", "state": "ok", "seen": {}}),
)
_FAILED = Example(
    summary="A relay that refuses the connection",
    value=(
        "result",
        {
            "completed": True,
            "id": "01a20468-4c81-7568-b9c7-f3a45b943b40",
            "error": "mail.example.com refuses connections on port 25. No mail server listens "
            "there. Check host and port.",
            "status": "Connect to host",
            "percents": 40,
            "failure": {
                "step": "connect",
                "code": "connection_refused",
                "title": "mail.example.com refuses connections on port 25",
                "why": "No mail server listens there.",
                "fix": "Check host and port.",
                "who": "administrator",
                "fields": ["host", "port"],
                "permanent": False,
            },
        },
    ),
)
_NEVER = Example(summary="No test was ever started", value=("result", None))
