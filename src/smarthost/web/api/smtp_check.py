"""Checks SMTP settings before they are saved: as one answer, or as events while it runs.

What is typed is refused exactly as a save refuses it, before the first connection. A failed check
is no failed request.
"""

from typing import Annotated, Any, Literal

from msgspec import Meta

from smarthost.portals.access import Action
from smarthost.portals.model import Caller
from smarthost.relay_check.check import Check, Prepared
from smarthost.relay_check.model import StepTold
from smarthost.smtp_settings.model import InvalidSettingsError
from smarthost.web.api.smtp_check_dto import CheckDto, CheckStepDto, check_dto, step_dto
from smarthost.web.api.smtp_check_examples import ANSWERS, EVENTS
from smarthost.web.api.smtp_settings import PATH, TAG
from smarthost.web.api.smtp_settings_body import SettingsBody, refused_body, unread_fields
from smarthost.web.api.smtp_settings_dto import SmtpSettingsRequestDto
from smarthost.web.check_limit import MOST_CHECKS, WINDOW_MINUTES, CheckLimit
from smarthost.web.decoding import Faults
from smarthost.web.errors import invalid_fields
from smarthost.web.event_stream import Event, Tell
from smarthost.web.operations import Answer, Call, Events, Operation

_WHEN_PROVEN = "when_proven"
_QUERY = {
    "activate": Annotated[
        Literal["when_proven"],
        Meta(description="Saves the settings that were sent if nothing fails; warnings do not."),
    ]
}


class SmtpCheckApi:
    """The end points."""

    def __init__(self, check: Check, limit: CheckLimit) -> None:
        self._check = check
        self._limit = limit

    async def run(self, call: Call[Caller]) -> Answer:
        """Check, and answer what it came to."""
        prepared = await self._prepared(call)
        with self._limit.take(call.caller.user.id):
            return Answer(value=check_dto(await self._check.run(prepared)))

    async def follow(self, call: Call[Caller]) -> Events:
        """Check, and tell each step as it begins and ends."""
        prepared = await self._prepared(call)
        running = self._limit.take(call.caller.user.id)

        async def work(tell: Tell) -> None:
            async def told(step: StepTold) -> None:
                await tell(Event(name="step", value=step_dto(step)))

            with running:
                checked = await self._check.run(prepared, told)
            await tell(Event(name="result", value=check_dto(checked)))

        return Events(work=work)

    async def _prepared(self, call: Call[Caller]) -> Prepared:
        body: SettingsBody | None = call.body
        faults = _faults_of(call.query.get("activate"))
        if body is None:
            if faults:
                raise invalid_fields(faults)
            return await self._prepare(call, None)
        try:
            prepared = await self._prepare(call, body)
        except InvalidSettingsError as error:
            raise refused_body(body, error, faults) from None
        if faults:
            raise body.with_faults(faults)
        body.checked()
        return prepared

    async def _prepare(self, call: Call[Caller], body: SettingsBody | None) -> Prepared:
        return await self._check.prepare(
            call.portal,
            None if body is None else body.value.typed(),
            call.caller.user.email,
            by=call.actor,
            unread=frozenset() if body is None else unread_fields(body),
            save_when_proven="activate" in call.query,
            if_match=call.if_match,
        )

    def operations(self) -> list[Operation]:
        """Return the rows of the table of operations."""
        return [
            _operation(
                operation_id="checkSmtpSettings",
                path=f"{PATH}/check",
                summary="Check SMTP settings",
                description="Connects to the mail server with the settings that are sent, or with "
                "those in force where there is no body, and goes as far as a message would: up "
                "to the recipient, who is the caller. No mail is sent and nothing is saved. "
                "With an empty password the stored one is used if host, port, enableSSL, useNtlm "
                f"and the user name are those it was saved with. {_LIMITS}",
                handler=self.run,
                answer=CheckDto,
                answer_examples=ANSWERS,
                waits_for_others=True,
            ),
            _operation(
                operation_id="checkSmtpSettingsLive",
                path=f"{PATH}/check/events",
                summary="Check SMTP settings and follow it",
                description="The same as events: a `step` as each begins and as it ends, and then "
                "one `result`. Where the check cannot be done any more, an `error` with the "
                "envelope of a refusal is the last. Closing the connection ends the check. "
                f"{_LIMITS}",
                handler=self.follow,
                answer=None,
                events={"step": CheckStepDto, "result": CheckDto},
                answer_examples=EVENTS,
            ),
        ]


_LIMITS = f"One at a time for each user, and at most {MOST_CHECKS} in {WINDOW_MINUTES} minutes."


def _operation(**rest: Any) -> Operation:  # noqa: ANN401 - the fields of an operation
    return Operation(
        method="POST",
        tag=TAG,
        action=Action.CHANGE_SETTINGS,
        body=SmtpSettingsRequestDto,
        body_optional=True,
        query_parameters=_QUERY,
        conditional=True,
        may_conflict=True,
        **rest,
    )


def _faults_of(activate: str | None) -> Faults:
    if activate in (None, _WHEN_PROVEN):
        return {}
    return {"activate": [f"This must be '{_WHEN_PROVEN}', or left out."]}
