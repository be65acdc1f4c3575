"""What is sent to /emails, field by field, in the words of Resend's API.

These types decode the requests and make the OpenAPI document. Fields beyond that API are `raw`,
`at_most_once` and `expires_at`; `from` may be left out.
"""

import base64
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from smarthost.sending.model import AttachmentInput, EmailInput, Fault, TagInput
from smarthost.web.operations import NEEDED, Example

MOST_IN_A_BATCH = 100

Octets = list[Annotated[int, Meta(ge=0, le=255)]]
Mailboxes = str | list[str]

_BASE64 = "This is no base64. Encode the octets as standard base64 on one line."


class BufferDto(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Octets as Node.js writes a Buffer in JSON."""

    type: Literal["Buffer"]
    data: Octets


class AttachmentDto(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file to be sent along."""

    filename: Annotated[str, Meta(description="What the file is called.")]
    content: Annotated[
        str | Octets | BufferDto,
        Meta(
            description="The octets: base64, a list of numbers, or a Buffer of Node.js. A `path` "
            "to be fetched is not taken."
        ),
    ]
    content_type: Annotated[str | None, Meta(description="Absent: what the file name says.")] = (
        None
    )
    content_id: Annotated[
        str | None,
        Meta(description='For a picture that the HTML shows as `<img src="cid:…">`.'),
    ] = None


class TagDto(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A word to find e-mails by; no recipient sees it."""

    name: Annotated[str, Meta(description="1 to 256 ASCII letters, digits, `_` and `-`.")]
    value: Annotated[str | None, Meta(description="Likewise, or empty.")] = None


class EmailDto(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An e-mail to be sent."""

    from_: Annotated[
        str | None,
        Meta(
            description="`name@example.com` or `Name <name@example.com>`: the portal's sender "
            "address, or any of its domain where the operator allows it. Absent: the portal's "
            "sender with its name."
        ),
    ] = msgspec.field(default=None, name="from")
    to: Annotated[
        Mailboxes | None, Meta(description="One address or up to 50. Needed, but with `raw`.")
    ] = None
    cc: Annotated[Mailboxes | None, Meta(description="One address or up to 50.")] = None
    bcc: Annotated[
        Mailboxes | None, Meta(description="One address or up to 50, which nobody else sees.")
    ] = None
    reply_to: Annotated[Mailboxes | None, Meta(description="Where answers go.")] = None
    subject: Annotated[str | None, Meta(description="Needed, but with `raw`.")] = None
    text: Annotated[
        str | None, Meta(description="The text. It or `html` is needed, or an attachment.")
    ] = None
    html: Annotated[str | None, Meta(description="The same as HTML.")] = None
    headers: Annotated[
        dict[str, str] | None,
        Meta(description="Further headers, such as `References` or `List-Unsubscribe`."),
    ] = None
    attachments: Annotated[list[AttachmentDto] | None, Meta(description="Files.")] = None
    tags: Annotated[list[TagDto] | None, Meta(description="At most 50.")] = None
    scheduled_at: Annotated[
        str | None,
        Meta(
            description="When to send it, at most 30 days ahead: ISO 8601 (without a time zone: "
            "UTC), or `in 5 minutes`, `in 2 hours`, `in 3 days`. Absent: at once."
        ),
    ] = None
    expires_at: Annotated[
        str | None,
        Meta(
            description="When it is of no use any more, in the same words: it is not tried "
            "after that. Absent: as long as the queue keeps trying."
        ),
    ] = None
    at_most_once: Annotated[
        bool | None,
        Meta(
            description="Rather not at all than twice: where nobody knows whether the relay has "
            "it, it is held until somebody releases it."
        ),
    ] = None
    raw: Annotated[
        str | None,
        Meta(
            description="A whole message of MIME in base64, in place of subject, text, html, "
            "headers, reply_to and attachments. Without to, cc and bcc it goes to those of its "
            "own headers."
        ),
    ] = None

    def typed(self) -> tuple[EmailInput, list[Fault]]:
        """Return what was typed, for the rules, and what of it cannot be read."""
        faults: list[Fault] = []
        attachments = self.attachments or ()
        email = EmailInput(
            from_=self.from_,
            to=_several(self.to),
            cc=_several(self.cc),
            bcc=_several(self.bcc),
            reply_to=_several(self.reply_to),
            subject=self.subject,
            text=self.text,
            html=self.html,
            headers=self.headers or {},
            attachments=tuple(
                _attachment(*numbered, faults) for numbered in enumerate(attachments)
            ),
            tags=tuple(TagInput(name=tag.name, value=tag.value or "") for tag in self.tags or ()),
            scheduled_at=self.scheduled_at,
            expires_at=self.expires_at,
            at_most_once=bool(self.at_most_once),
            raw=None if self.raw is None else _from_base64("raw", self.raw, faults),
        )
        return email, faults


class RescheduleDto(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a scheduled e-mail is to be sent instead."""

    id: Annotated[
        str | None, Meta(description="Taken and ignored: an official client sends it.")
    ] = None
    scheduled_at: Annotated[
        str | None,
        Meta(description="Needed. As in the request that sent it.", extra=NEEDED),
    ] = None


Batch = Annotated[list[EmailDto], Meta(min_length=1, max_length=MOST_IN_A_BATCH)]


def _several(mailboxes: Mailboxes | None) -> tuple[str, ...]:
    if mailboxes is None:
        return ()
    return (mailboxes,) if isinstance(mailboxes, str) else tuple(mailboxes)


def _attachment(at: int, given: AttachmentDto, faults: list[Fault]) -> AttachmentInput:
    return AttachmentInput(
        filename=given.filename,
        content=_octets(f"attachments[{at}].content", given.content, faults),
        content_type=given.content_type,
        content_id=given.content_id,
    )


def _octets(
    field: str, content: str | list[int] | BufferDto | None, faults: list[Fault]
) -> bytes | None:
    match content:
        case None:  # stands in for what was not sent
            return None
        case str():
            return _from_base64(field, content, faults)
        case BufferDto(data=data):
            return bytes(data)
        case _:
            return bytes(content)


def _from_base64(field: str, text: str, faults: list[Fault]) -> bytes:
    try:
        try:
            return base64.b64decode(text, validate=True)
        except ValueError:
            # Encoders for mail part it into lines.
            return base64.b64decode("".join(text.split()), validate=True)
    except ValueError:
        faults.append(Fault(field=field, message=_BASE64))
        return b""


_EXAMPLE = {
    "from": "Postman <notify@example.com>",
    "to": ["jane@example.net"],
    "subject": "Your order",
    "text": "It is on its way.\n",
}
SEND_EXAMPLES = {
    "text": Example(summary="A text for one person", value=_EXAMPLE),
    "files": Example(
        summary="HTML with a file, sent later",
        value={
            "to": "Jane <jane@example.net>",
            "bcc": "archive@example.com",
            "subject": "Your invoice",
            "html": "<p>It is attached.</p>",
            "attachments": [{"filename": "invoice.txt", "content": "MTIgRVVSCg=="}],
            "tags": [{"name": "order", "value": "4711"}],
            "scheduled_at": "in 2 hours",
        },
    ),
}
BATCH_EXAMPLES = {
    "two": Example(
        summary="Two e-mails",
        value=[_EXAMPLE, {**_EXAMPLE, "to": ["joe@example.net"], "subject": "Your parcel"}],
    ),
}
RESCHEDULE_EXAMPLES = {
    "later": Example(summary="Tomorrow instead", value={"scheduled_at": "in 1 day"})
}
