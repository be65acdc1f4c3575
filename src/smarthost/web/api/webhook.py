"""The portal's webhook: where its application is told what became of its mail.

One URL a portal. Its secret is shown when it is made and never again; which URLs can be one is
said by the rules in `webhooks/rules.py`.
"""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from smarthost.clock import moment
from smarthost.portals.access import Action
from smarthost.portals.model import Caller
from smarthost.secret import Secret
from smarthost.smtp.egress import Policy
from smarthost.web.errors import invalid_fields
from smarthost.web.operations import Answer, Call, Example, Operation
from smarthost.webhooks.model import (
    EventType,
    FailedTry,
    InvalidUrlError,
    NotTaken,
    Webhook,
)
from smarthost.webhooks.rules import LONGEST_URL, checked_url
from smarthost.webhooks.schedule import KEPT_SECONDS
from smarthost.webhooks.store import WebhookStore

PATH = "/api/2.0/webhook"
TAG = "Webhook"
_KEPT_HOURS = KEPT_SECONDS // 3600

Time = Annotated[datetime, Meta(tz=True)]


class WebhookRequestDto(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True
):
    """The webhook to set."""

    url: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=LONGEST_URL,
            description="Where events are sent by POST: https, without user name, password and "
            "fragment; http for a receiver on one's own network, where the operator lets relays "
            "be there.",
        ),
    ]
    new_secret: Annotated[
        bool,
        Meta(description="Make a new secret though the URL is the same; another URL always has."),
    ] = False


class WebhookFailureDto(msgspec.Struct, frozen=True, kw_only=True):
    """Why the receiver has not taken an event."""

    at: Annotated[Time, Meta(description="When, UTC.")]
    code: Annotated[NotTaken, Meta(description="Why, in a fixed vocabulary.")]
    message: Annotated[str, Meta(description="Why, and what to do, in plain words.")]
    status: Annotated[
        int | msgspec.UnsetType,
        Meta(description="The HTTP status that the receiver answered with; absent: no answer."),
    ] = msgspec.UNSET


class WebhookDto(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The portal's webhook, and how it is doing. Times without a value are left out."""

    url: str
    secret: Annotated[
        str | msgspec.UnsetType,
        Meta(description="By which the receiver proves signatures; shown when it was made."),
    ] = msgspec.UNSET
    events: Annotated[list[EventType], Meta(description="What is told.")]
    is_active: Annotated[
        bool, Meta(description="False once the receiver has answered 410: set it again.")
    ]
    set_on: Annotated[Time, Meta(description="When it was set, UTC.")]
    last_delivered_at: Annotated[
        Time | msgspec.UnsetType, Meta(description="When the receiver last took an event, UTC.")
    ] = msgspec.UNSET
    waiting_since: Annotated[
        Time | msgspec.UnsetType,
        Meta(description="When the oldest event happened that it has not taken, UTC."),
    ] = msgspec.UNSET
    last_failure: Annotated[
        WebhookFailureDto | msgspec.UnsetType,
        Meta(description="The last delivery that failed, even if others went well since."),
    ] = msgspec.UNSET
    dropped: Annotated[
        int,
        Meta(ge=0, description=f"Events given up after {_KEPT_HOURS} hours, since it was set."),
    ]


class WebhookApi:
    """The end points."""

    def __init__(self, store: WebhookStore, policy: Policy) -> None:
        """`policy` says where receivers may be."""
        self._store = store
        self._policy = policy

    async def read(self, call: Call[Caller]) -> Answer:
        """Answer the webhook, nothing if there is none."""
        webhook = await self._store.of(call.portal.id)
        return Answer(value=None if webhook is None else webhook_dto(webhook))

    async def put(self, call: Call[Caller]) -> Answer:
        """Set the webhook; answer it, with the secret if that is a new one."""
        body: WebhookRequestDto = call.body.checked()
        try:
            url = checked_url(body.url, self._policy)
        except InvalidUrlError as error:
            raise invalid_fields({call.body.sent["url"]: [str(error)]}) from None
        webhook, secret = await self._store.put(
            call.portal.id, url, call.actor, renew_secret=body.new_secret
        )
        return Answer(value=webhook_dto(webhook, secret))

    async def remove(self, call: Call[Caller]) -> Answer:
        """Remove the webhook, if there is one."""
        await self._store.remove(call.portal.id, call.actor)
        return Answer(value=True)

    def operations(self) -> list[Operation]:
        """Return the rows of the table of operations."""
        return [
            Operation(
                operation_id="getWebhook",
                method="GET",
                path=PATH,
                tag=TAG,
                summary="Get the webhook",
                description="Where events go and whether they arrive; without a webhook there is "
                "no `response`.",
                handler=self.read,
                action=Action.READ_SETTINGS,
                answer=WebhookDto,
                may_be_absent=True,
                answer_examples={
                    "failing": Example(summary="The receiver fails", value=_EXAMPLE | _FAILING),
                    "none": Example(summary="There is none", value=None),
                },
            ),
            Operation(
                operation_id="setWebhook",
                method="PUT",
                path=PATH,
                tag=TAG,
                summary="Set the webhook",
                description="From now on events about the portal's mail are sent to this URL, "
                "signed as Standard Webhooks, and what waits is sent at once. An event that the "
                f"receiver does not take is tried again for {_KEPT_HOURS} hours. Another URL "
                "gets a new secret, shown in this answer and never again; the same URL keeps "
                "its own.",
                handler=self.put,
                action=Action.CHANGE_SETTINGS,
                body=WebhookRequestDto,
                answer=WebhookDto,
                body_examples={
                    "new": Example(
                        summary="A receiver",
                        value={"url": "https://app.example.com/webhooks/mail"},
                    )
                },
                answer_examples={
                    "new": Example(summary="The new webhook", value=_EXAMPLE | {"secret": _SHOWN})
                },
            ),
            Operation(
                operation_id="deleteWebhook",
                method="DELETE",
                path=PATH,
                tag=TAG,
                summary="Remove the webhook",
                description="No events are sent any more; those that wait are given up.",
                handler=self.remove,
                action=Action.CHANGE_SETTINGS,
                answer=bool,
                answer_examples={"removed": Example(summary="There is none now", value=True)},
            ),
        ]


def webhook_dto(webhook: Webhook, secret: Secret | None = None) -> WebhookDto:
    """Return how a webhook is answered; `secret` when it has just been made."""
    failed = webhook.last_failure
    return WebhookDto(
        url=webhook.url,
        secret=msgspec.UNSET if secret is None else secret.reveal(),
        events=list(EventType),
        is_active=webhook.switched_off_at is None,
        set_on=moment(webhook.set_at),
        last_delivered_at=_shown(webhook.delivered_at),
        waiting_since=_shown(webhook.waiting_since),
        last_failure=msgspec.UNSET if failed is None else _failure(failed),
        dropped=webhook.dropped,
    )


def _failure(failed: FailedTry) -> WebhookFailureDto:
    return WebhookFailureDto(
        at=moment(failed.at),
        code=failed.failure,
        message=failed.text,
        status=msgspec.UNSET if failed.status is None else failed.status,
    )


def _shown(at: int | None) -> datetime | msgspec.UnsetType:
    return msgspec.UNSET if at is None else moment(at)


_SHOWN = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
_EXAMPLE = {
    "url": "https://app.example.com/webhooks/mail",
    "events": [kind.value for kind in EventType],
    "isActive": True,
    "setOn": "2026-11-22T17:57:53.921928Z",
    "dropped": 0,
}
_FAILING = {
    "lastDeliveredAt": "2026-11-22T18:40:02.613350Z",
    "waitingSince": "2026-11-22T18:41:37.090816Z",
    "lastFailure": {
        "at": "2026-11-22T18:41:37.114209Z",
        "code": "refused",
        "message": FailedTry(at=0, failure=NotTaken.REFUSED, status=500).text,
        "status": 500,
    },
}
