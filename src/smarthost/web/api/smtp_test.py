"""The contract's test of the settings: a message to the person who asks, started and watched.

Starting it sends mail, though it is a GET, and HEAD is as GET: that is the contract's. So it needs
the permission to change settings, and the rule against requests of other sites guards it as it
does a save.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from smarthost.portals.access import Action
from smarthost.portals.model import Caller
from smarthost.relay_check.model import TrialState
from smarthost.relay_check.store import MOST_REQUESTS, WINDOW_MINUTES, TrialStore
from smarthost.relay_check.trial import Trial
from smarthost.web.api.smtp_settings import PATH, TAG
from smarthost.web.operations import Answer, Call, Example, Operation


class SmtpOperationStatusDto(msgspec.Struct, frozen=True, kw_only=True):
    """How far the test message is."""

    completed: Annotated[bool, Meta(description="Whether it has ended, well or not.")]
    id: Annotated[str, Meta(description="The test's id.")]
    error: Annotated[
        str, Meta(description="Why it failed and what to do; empty where it has not failed.")
    ]
    status: Annotated[str, Meta(description="The stage that it is in, or ended in.")]
    percents: Annotated[
        int,
        Meta(
            ge=0,
            le=100,
            description="100 when the relay has taken the message; of a failed test, where it "
            "stopped.",
            extra_json_schema={"format": "int32"},
        ),
    ]


class SmtpTestApi:
    """The end points."""

    def __init__(self, trial: Trial, requests: TrialStore, *, limited: bool) -> None:
        """With `limited` false, users may ask for as many tests as they like."""
        self._trial = trial
        self._requests = requests
        self._limited = limited

    async def start(self, call: Call[Caller]) -> Answer:
        """Start a test, or find the one that runs, and answer its state."""
        user = call.caller.user
        if self._limited:
            await self._requests.count_request(user)
        return Answer(
            value=operation_dto(await self._trial.start(call.portal, user.email, call.actor))
        )

    async def status(self, call: Call[Caller]) -> Answer:
        """Answer the state of the portal's last test, nothing if there never was one."""
        state = await self._trial.status(call.portal.id)
        return Answer(value=None if state is None else operation_dto(state))

    def operations(self) -> list[Operation]:
        """Return the rows of the table of operations."""
        return [
            Operation(
                operation_id="testSmtpSettings",
                method="GET",
                path=f"{PATH}/test",
                tag=TAG,
                summary="Send a test message",
                description="Starts sending a test message to the caller's e-mail address, "
                "through the settings in force, and answers its state at once; to be watched by "
                "test/status. While one runs, its state is answered and no other is started. At "
                f"most {MOST_REQUESTS} in {WINDOW_MINUTES} minutes for each user. `HEAD` starts "
                "one too.",
                handler=self.start,
                action=Action.CHANGE_SETTINGS,
                answer=SmtpOperationStatusDto,
                answer_examples={"started": _STARTED, "noRelay": _NO_RELAY},
            ),
            Operation(
                operation_id="getSmtpOperationStatus",
                method="GET",
                path=f"{PATH}/test/status",
                tag=TAG,
                summary="Get the state of the test message",
                description="The state of the portal's last test, to be asked for about once a "
                "second until it is completed. Its result stays until the next test; without "
                "any test there is no `response`.",
                handler=self.status,
                action=Action.READ_SETTINGS,
                answer=SmtpOperationStatusDto,
                may_be_absent=True,
                answer_examples={
                    "running": _RUNNING,
                    "sent": _SENT,
                    "failed": _FAILED,
                    "never": Example(summary="No test was ever started", value=None),
                },
            ),
        ]


def operation_dto(state: TrialState) -> SmtpOperationStatusDto:
    """Return how a state is answered."""
    return SmtpOperationStatusDto(
        completed=state.completed,
        id=state.id,
        error=state.error,
        status=state.status,
        percents=state.percents,
    )


_ID = "01a20468-4c81-7568-b9c7-f3a45b943b40"


def _example(
    summary: str, status: str, percents: int, *, completed: bool = False, error: str = ""
) -> Example:
    dto = SmtpOperationStatusDto(
        completed=completed, id=_ID, error=error, status=status, percents=percents
    )
    return Example(summary=summary, value=msgspec.to_builtins(dto))


_STARTED = _example("A test that was started", "Create mime message", 20)
_RUNNING = _example("A test that runs", "Connect to host", 40)
_SENT = _example("The relay has the message", "Send test message", 100, completed=True)
_FAILED = _example(
    "The relay refused the login",
    "Authenticate",
    60,
    completed=True,
    error="mail.example.com refused the login. It does not accept this user name with this "
    "password. Check the user name (credentialsUserName) and the password "
    "(credentialsUserPassword). The mail server said: 535 5.7.8 Authentication failed",
)
_NO_RELAY = _example(
    "No relay is in force",
    "Setup tenant",
    5,
    completed=True,
    error="No mail server is saved. The portal has no settings of its own, and this installation "
    "has no default. Enter a mail server (host) and a sender address (senderAddress), and save "
    "them.",
)
