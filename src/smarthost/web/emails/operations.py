"""The rows of the table of operations for /emails, with what documentation shows."""

from typing import Annotated, Any
from uuid import UUID

from msgspec import Meta

from smarthost.portals.access import Action
from smarthost.web.emails.answers import AttemptList, Changed, Email, EmailList, Sent, SentBatch
from smarthost.web.emails.asked import (
    BATCH_VALIDATION,
    IDEMPOTENCY_KEY,
    LONGEST_KEY,
)
from smarthost.web.emails.emails import EmailsApi
from smarthost.web.emails.family import EMAILS, PREFIX
from smarthost.web.emails.listing import ATTEMPTS_PARAMETERS, PARAMETERS
from smarthost.web.emails.request import (
    BATCH_EXAMPLES,
    MOST_IN_A_BATCH,
    RESCHEDULE_EXAMPLES,
    SEND_EXAMPLES,
    Batch,
    EmailDto,
    RescheduleDto,
)
from smarthost.web.operations import Example, Operation

PATH = PREFIX
TAG = "E-mails"

_ID = {"id": Annotated[UUID, Meta(description="The e-mail's id.")]}
_KEY = {
    IDEMPOTENCY_KEY: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=LONGEST_KEY,
            description="Makes a request that is sent again recognisable: for 8 days the first "
            "answer comes back and nothing is sent twice. With another body under the same key "
            "the answer is 409.",
        ),
    ]
}
_VALIDATION = {
    BATCH_VALIDATION: Annotated[
        str,
        Meta(
            pattern="^(strict|permissive)$",
            description="`strict`, as where it is absent: all e-mails or none. `permissive`: "
            "those that are right, and the others are told in `errors`.",
        ),
    ]
}


def operations(api: EmailsApi) -> list[Operation]:
    """Return the rows."""
    return [*_sending(api), *_looking(api), *_doing(api)]


def _sending(api: EmailsApi) -> list[Operation]:
    return [
        _operation(
            operation_id="sendEmail",
            method="POST",
            path=PATH,
            summary="Send an e-mail",
            description="Accepts an e-mail. When this is answered it is on the disk; it goes out "
            "through the portal's own mail server, and is tried again as long as that takes.",
            handler=api.send,
            body=EmailDto,
            answer=Sent,
            header_parameters=_KEY,
            may_conflict=True,
            body_examples=SEND_EXAMPLES,
            answer_examples={"accepted": Example(summary="It is accepted", value=_SENT)},
        ),
        _operation(
            operation_id="sendEmailBatch",
            method="POST",
            path=f"{PATH}/batch",
            summary="Send several e-mails",
            description=f"Accepts 1 to {MOST_IN_A_BATCH} e-mails together.",
            handler=api.send_batch,
            body=Batch,
            answer=SentBatch,
            header_parameters=_KEY | _VALIDATION,
            may_conflict=True,
            body_examples=BATCH_EXAMPLES,
            answer_examples={
                "accepted": Example(summary="They are accepted", value={"data": [_SENT]}),
                "permissive": Example(
                    summary="One of them is not",
                    value={
                        "data": [_SENT],
                        "errors": [{"index": 1, "message": "to: Name at least one recipient."}],
                    },
                ),
            },
        ),
    ]


def _looking(api: EmailsApi) -> list[Operation]:
    listed = {name: value for name, value in _EMAIL.items() if name not in _NOT_LISTED}
    page = {"object": "list", "has_more": False, "next": None, "data": [listed]}
    return [
        _operation(
            operation_id="listEmails",
            method="GET",
            path=PATH,
            summary="List e-mails",
            description="Newest first: what this key or user has sent, and for administrators "
            "all of the portal's. What a page costs does not depend on how much mail there is.",
            handler=api.list_emails,
            answer=EmailList,
            query_parameters=PARAMETERS,
            may_be_unprocessable=True,
            answer_examples={"one": Example(summary="A page", value=page)},
        ),
        _operation(
            operation_id="getEmail",
            method="GET",
            path=f"{PATH}/{{id}}",
            summary="Get an e-mail",
            description="What was sent, and where each recipient stands.",
            handler=api.read,
            answer=Email,
            answer_examples={"sent": Example(summary="One that was sent", value=_EMAIL)},
            **_OF_ONE,
        ),
        _operation(
            operation_id="getEmailAttempts",
            method="GET",
            path=f"{PATH}/{{id}}/attempts",
            summary="Get the attempts to hand over an e-mail",
            description="Each attempt for each recipient: which mail server, with which revision "
            "of the settings, and why it failed where it did.",
            handler=api.attempts,
            answer=AttemptList,
            query_parameters=ATTEMPTS_PARAMETERS,
            answer_examples={"two": Example(summary="The second went well", value=_ATTEMPTS)},
            **_OF_ONE,
        ),
    ]


def _doing(api: EmailsApi) -> list[Operation]:
    done = {"done": Example(summary="It is done", value={"object": "email", "id": _SENT["id"]})}
    one = f"{PATH}/{{id}}"
    rows: list[dict[str, Any]] = [
        {
            "operation_id": "rescheduleEmail",
            "method": "PATCH",
            "path": one,
            "summary": "Send a scheduled e-mail at another time",
            "description": "Only what has not been tried yet can be put off or brought forward.",
            "handler": api.reschedule,
            "body": RescheduleDto,
            "body_examples": RESCHEDULE_EXAMPLES,
        },
        {
            "operation_id": "cancelEmail",
            "method": "POST",
            "path": f"{one}/cancel",
            "summary": "Cancel an e-mail",
            "description": "It goes to none of the recipients that still wait for it.",
            "handler": api.cancel,
        },
        {
            "operation_id": "retryEmail",
            "method": "POST",
            "path": f"{one}/retry",
            "summary": "Try an e-mail again now",
            "description": "For recipients that failed, have expired or wait for another try.",
            "handler": api.retry,
        },
        {
            "operation_id": "releaseEmail",
            "method": "POST",
            "path": f"{one}/release",
            "summary": "Let a held e-mail go on",
            "description": "It may arrive twice where nobody knows whether it has arrived.",
            "handler": api.release,
        },
        {
            "operation_id": "deleteEmailBody",
            "method": "DELETE",
            "path": f"{one}/body",
            "summary": "Forget what an e-mail said",
            "description": "Only what has ended for all recipients; what became of it stays.",
            "handler": api.drop_body,
        },
    ]
    return [_operation(answer=Changed, answer_examples=done, **_OF_ONE, **row) for row in rows]


def _operation(**row: Any) -> Operation:  # noqa: ANN401 - fields of any type
    return Operation(family=EMAILS, tag=TAG, action=Action.SEND_MAIL, **row)


_OF_ONE: dict[str, Any] = {
    "path_parameters": _ID,
    "may_be_missing": True,
    "may_be_unprocessable": True,
}
_SENT = {"id": "01a20468-4c81-7568-b9c7-f3a45b943b40"}
_EMAIL: dict[str, Any] = {
    "object": "email",
    "id": _SENT["id"],
    "message_id": f"<{_SENT['id']}@example.com>",
    "from": "Postman <notify@example.com>",
    "to": ["jane@example.net"],
    "cc": [],
    "bcc": [],
    "reply_to": [],
    "subject": "Your order",
    "created_at": "2026-11-22T17:57:53.921928Z",
    "scheduled_at": None,
    "expires_at": None,
    "at_most_once": False,
    "size": 1042,
    "has_body": True,
    "last_event": "sent",
    "tags": [],
    "recipients": [
        {
            "address": "jane@example.net",
            "state": "sent",
            "last_event": "sent",
            "attempts": 2,
            "next_attempt_at": None,
            "ended_at": "2026-11-22T18:03:12.552113Z",
            "held_for": None,
            "in_doubt": False,
            "code": None,
        }
    ],
    "text": "It is on its way.\n",
    "html": None,
}
_NOT_LISTED = ("object", "text", "html")
_ATTEMPT = {
    "recipient": "jane@example.net",
    "relay": "mail.example.com:587",
    "address": "192.0.2.25",
    "tls": "TLSv1.3",
    "revision": 7,
}
_ATTEMPTS = {
    "object": "list",
    "has_more": False,
    "data": [
        {
            **_ATTEMPT,
            "attempt": 1,
            "at": "2026-11-22T17:57:54.012321Z",
            "outcome": "deferred",
            "milliseconds": 131.2,
            "reply": "450 4.2.0 Greylisted",
            "failure": {
                "step": "recipient",
                "code": "temporarily_refused",
                "title": "mail.example.com asks to come back in some minutes",
                "why": "So it turns away every sender that it does not know, once: spam seldom "
                "comes twice (greylisting).",
                "fix": "Nothing has to be done: the message is sent again by itself. A test "
                "message is not: start another in a quarter of an hour.",
                "who": "recipient",
                "fields": [],
                "reply": "450 4.2.0 Greylisted",
                "permanent": False,
            },
        },
        {
            **_ATTEMPT,
            "attempt": 2,
            "at": "2026-11-22T18:03:12.401200Z",
            "outcome": "accepted",
            "milliseconds": 150.9,
            "reply": "250 2.0.0 Queued",
        },
    ],
}
