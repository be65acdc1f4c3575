"""The history of the SMTP settings: who saved what and when, and a way back.

An entry shows the settings as reading them does, so without the password; restoring a revision is
a save, and answers as one.
"""

import re
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from smarthost.clock import moment
from smarthost.portals.access import Action
from smarthost.portals.model import Caller
from smarthost.smtp_settings.model import (
    CHANGED_NAMES,
    CONTRACT_NAMES,
    InvalidSettingsError,
    NoSuchRevisionError,
    PastRevision,
    RevisionAction,
    SmtpSettings,
)
from smarthost.smtp_settings.store import SettingsStore
from smarthost.web.api.smtp_settings import PATH, TAG, settings_answer
from smarthost.web.api.smtp_settings_dto import (
    DEFAULT_EXAMPLES,
    OWN_EXAMPLES,
    SmtpSettingsDto,
    settings_dto,
)
from smarthost.web.errors import invalid_fields
from smarthost.web.operations import Answer, Call, Example, Operation

MOST_LISTED = 100
"""Revisions on a page, also where nothing is said."""
_HIGHEST = 999_999_999
_NUMBER = re.compile(r"[0-9]{1,9}")


class SmtpRevisionDto(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One revision of the settings."""

    revision: Annotated[int, Meta(ge=1, description="Its number, as in the `ETag` then.")]
    saved_at: Annotated[
        datetime, Meta(tz=True, description="When it was saved, reset or restored, UTC.")
    ]
    saved_by: Annotated[
        str, Meta(description="By whom: an e-mail address, or the operator of the installation.")
    ]
    action: RevisionAction
    settings: Annotated[
        SmtpSettingsDto,
        Meta(
            description="The settings as reading them answers. After a reset they are the "
            "installation's default of today."
        ),
    ]
    changed: Annotated[
        list[str],
        Meta(
            description="The names of the fields that are other than in the revision before. "
            "Where Smarthost was upgraded since, old revisions do not tell of the password."
        ),
    ]


class SmtpHistoryApi:
    """The end points."""

    def __init__(self, store: SettingsStore, shown_default: SmtpSettings | None) -> None:
        """Take what a portal may see of the installation's default relay, None for nothing."""
        self._store = store
        self._default = shown_default

    async def list_revisions(self, call: Call[Caller]) -> Answer:
        """Answer a page of the history."""
        limit, before = _page_of(call)
        found = await self._store.history(call.portal.id, before=before, limit=limit)
        return Answer(value=[revision_dto(past, self._default) for past in found])

    async def restore(self, call: Call[Caller]) -> Answer:
        """Put an earlier revision in force and answer its settings."""
        number = _number(call.path["revision"])
        if number is None:
            raise NoSuchRevisionError
        try:
            revision = await self._store.restore(call.portal.id, number, call.actor, call.if_match)
        except InvalidSettingsError as error:
            raise invalid_fields(
                {CONTRACT_NAMES[name]: told for name, told in error.faults.items()}
            ) from None
        return settings_answer(revision, self._default)

    def operations(self) -> list[Operation]:
        """Return the rows of the table of operations."""
        return [
            Operation(
                operation_id="getSmtpSettingsHistory",
                method="GET",
                path=f"{PATH}/history",
                tag=TAG,
                summary="Get the history of the SMTP settings",
                description="The revisions of the portal's settings, newest first. For the next "
                "page `before` takes the number of the last one.",
                handler=self.list_revisions,
                action=Action.READ_SETTINGS,
                answer=list[SmtpRevisionDto],
                answer_examples={"two": Example(summary="Two revisions", value=_HISTORY)},
                query_parameters=_PAGE,
            ),
            Operation(
                operation_id="restoreSmtpSettings",
                method="POST",
                path=f"{PATH}/history/{{revision}}/restore",
                tag=TAG,
                summary="Restore earlier SMTP settings",
                description="Saves the settings of an earlier revision once more, with the "
                "password that is stored with them; that of a reset resets. Where that password "
                "does not open any more, nothing is changed (400).",
                handler=self.restore,
                action=Action.CHANGE_SETTINGS,
                answer=SmtpSettingsDto,
                entity_tagged=True,
                conditional=True,
                answer_examples=OWN_EXAMPLES | DEFAULT_EXAMPLES,
                path_parameters={
                    "revision": Annotated[
                        int, Meta(ge=1, le=_HIGHEST, description="The revision's number.")
                    ]
                },
                may_be_missing=True,
            ),
        ]


def revision_dto(past: PastRevision, default: SmtpSettings | None) -> SmtpRevisionDto:
    """Return how a revision is told; `default` is what is shown of the default relay."""
    revision = past.revision
    return SmtpRevisionDto(
        revision=revision.number,
        saved_at=moment(revision.saved_at),
        saved_by=revision.saved_by,
        action=revision.action,
        settings=settings_dto(revision, default),
        changed=[CHANGED_NAMES[name] for name in past.changed],
    )


def _page_of(call: Call[Caller]) -> tuple[int, int | None]:
    """Return how many revisions are asked for, and the number that they are below."""
    faults: dict[str, list[str]] = {}
    asked: dict[str, int] = {}
    for name, highest in (("limit", MOST_LISTED), ("before", _HIGHEST)):
        if name not in call.query:
            continue
        number = _number(call.query[name])
        if number is None or not 1 <= number <= highest:
            faults[name] = [f"This must be a whole number from 1 to {highest}."]
        else:
            asked[name] = number
    if faults:
        raise invalid_fields(faults)
    return asked.get("limit", MOST_LISTED), asked.get("before")


def _number(text: str) -> int | None:
    return int(text) if _NUMBER.fullmatch(text) else None


_PAGE = {
    "limit": Annotated[
        int,
        Meta(
            ge=1,
            le=MOST_LISTED,
            description=f"How many revisions at the most; {MOST_LISTED} if nothing is said.",
        ),
    ],
    "before": Annotated[
        int, Meta(ge=1, le=_HIGHEST, description="Only revisions with a lower number.")
    ],
}
_HISTORY = [
    {
        "revision": 2,
        "savedAt": "2026-11-22T18:04:11.302914Z",
        "savedBy": "anna@example.org",
        "action": "reset",
        "settings": DEFAULT_EXAMPLES["default"].value,
        "changed": ["host", "port", "senderAddress", "enableSSL", "enableAuth", "useNtlm"],
    },
    {
        "revision": 1,
        "savedAt": "2026-11-22T17:57:53.921928Z",
        "savedBy": "operator",
        "action": "save",
        "settings": OWN_EXAMPLES["open"].value,
        "changed": ["host", "port", "senderAddress", "enableSSL", "enableAuth", "useNtlm"],
    },
]
