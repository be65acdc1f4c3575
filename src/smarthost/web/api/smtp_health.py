"""How the portal's mail is doing: whether it goes out, since when not, and why."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from smarthost.clock import moment
from smarthost.portals.access import Action
from smarthost.portals.model import Caller
from smarthost.relay_health.health import Health, HealthState, RelayHealth
from smarthost.relay_health.oauth2 import OAuth2Health, OAuth2State
from smarthost.web.api.smtp_settings import PATH, TAG
from smarthost.web.failure_dto import FailureDto, failure_dto
from smarthost.web.operations import Answer, Call, Example, Operation

Time = Annotated[datetime, Meta(tz=True)]
Count = Annotated[int, Meta(ge=0)]


class SmtpHealthOAuth2Dto(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How the login by OAuth2 is doing."""

    state: Annotated[OAuth2State, Meta(description="`none` and `ended` are not told here.")]
    expires_at: Annotated[
        Time | msgspec.UnsetType, Meta(description="When the token ends that was got last, UTC.")
    ] = msgspec.UNSET
    failure: Annotated[
        FailureDto | msgspec.UnsetType, Meta(description="Why there is no token.")
    ] = msgspec.UNSET


class SmtpHealthDto(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How the portal's mail is doing. Times without a value are left out."""

    state: Annotated[
        HealthState,
        Meta(
            description="`held`: the relay takes no mail, and all of the portal's waits; "
            "`unknown`: nothing was ever sent."
        ),
    ]
    since: Annotated[Time | msgspec.UnsetType, Meta(description="Since when it is held, UTC.")] = (
        msgspec.UNSET
    )
    failure: Annotated[FailureDto | msgspec.UnsetType, Meta(description="Why it is held.")] = (
        msgspec.UNSET
    )
    next_try_at: Annotated[
        Time | msgspec.UnsetType,
        Meta(description="When one message tries again whether it is taken, UTC."),
    ] = msgspec.UNSET
    queued: Annotated[Count, Meta(description="Recipients that mail is on its way to.")]
    held: Annotated[
        Count, Meta(description="Recipients whose mail waits for a person to release it.")
    ]
    oldest_queued_at: Annotated[
        Time | msgspec.UnsetType,
        Meta(description="When the oldest message on its way was accepted, UTC."),
    ] = msgspec.UNSET
    last_sent_at: Annotated[
        Time | msgspec.UnsetType, Meta(description="When the relay last took a message, UTC.")
    ] = msgspec.UNSET
    oauth2: Annotated[
        SmtpHealthOAuth2Dto | msgspec.UnsetType,
        Meta(description="Absent where the relay is not logged in to by OAuth2."),
    ] = msgspec.UNSET


class SmtpHealthApi:
    """The end point."""

    def __init__(self, health: RelayHealth) -> None:
        self._health = health

    async def read(self, call: Call[Caller]) -> Answer:
        """Answer how the portal's mail is doing."""
        return Answer(value=health_dto(await self._health.of(call.portal.id)))

    def operations(self) -> list[Operation]:
        """Return the rows of the table of operations."""
        return [
            Operation(
                operation_id="getSmtpHealth",
                method="GET",
                path=f"{PATH}/health",
                tag=TAG,
                summary="Ask whether mail goes out",
                description="Whether the relay in force takes the portal's mail. When it does "
                "not, all mail waits, none is lost, and one message at a time tries whether it "
                "does again; saving the settings and a test message that goes through end the "
                "wait at once.",
                handler=self.read,
                action=Action.READ_SETTINGS,
                answer=SmtpHealthDto,
                answer_examples={"held": _HELD, "ok": _OK, "unknown": _UNKNOWN},
            )
        ]


def health_dto(health: Health) -> SmtpHealthDto:
    """Return how a portal's health is answered."""
    return SmtpHealthDto(
        state=health.state,
        since=_shown(health.since),
        failure=msgspec.UNSET if health.failure is None else failure_dto(health.failure),
        next_try_at=_shown(health.next_try_at),
        queued=health.queued,
        held=health.held,
        oldest_queued_at=_shown(health.oldest_queued_at),
        last_sent_at=_shown(health.last_sent_at),
        oauth2=msgspec.UNSET if health.oauth2 is None else _oauth2(health.oauth2),
    )


def _oauth2(health: OAuth2Health) -> SmtpHealthOAuth2Dto:
    return SmtpHealthOAuth2Dto(
        state=health.state,
        expires_at=_shown(health.expires_at),
        failure=msgspec.UNSET if health.failure is None else failure_dto(health.failure),
    )


def _shown(at: int | None) -> datetime | msgspec.UnsetType:
    return msgspec.UNSET if at is None else moment(at)


_UNKNOWN = Example(
    summary="Nothing was sent yet", value={"state": "unknown", "queued": 0, "held": 0}
)
_OK = Example(
    summary="Mail goes out",
    value={"state": "ok", "queued": 0, "held": 0, "lastSentAt": "2026-11-22T17:57:53.921928Z"},
)
_HELD = Example(
    summary="The relay refuses the login",
    value={
        "state": "held",
        "since": "2026-11-22T18:02:11.306114Z",
        "failure": {
            "step": "authenticate",
            "code": "login_refused",
            "title": "Google wants an app password",
            "why": "The account has 2-Step Verification. Its own password is never accepted by "
            "mail servers then.",
            "fix": "Create an app password at https://myaccount.google.com/apppasswords and "
            "enter its 16 letters as the password (credentialsUserPassword).",
            "who": "administrator",
            "fields": ["credentialsUserPassword"],
            "link": "https://support.google.com/accounts/answer/185833",
            "reply": "534 5.7.9 Application-specific password required.",
            "permanent": True,
        },
        "nextTryAt": "2026-11-22T18:17:11.306114Z",
        "queued": 12,
        "held": 0,
        "oldestQueuedAt": "2026-11-22T18:02:08.117302Z",
        "lastSentAt": "2026-11-22T17:57:53.921928Z",
    },
)
