"""Which page of e-mails a query asks for: how many, from where on, and which of them.

Everything that is wrong is told at once. A parameter without a value is wrong too: a filter that
lets everything through unseen is worse than an error.
"""

import re
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any, TypeVar
from uuid import UUID

import msgspec
from msgspec import Meta

from smarthost.mail.address import parse_address
from smarthost.mail_queue.mail_log.log import LOOKED_AT
from smarthost.mail_queue.mail_log.model import Standing, Wanted
from smarthost.mail_queue.mail_log.words import LONGEST_SEARCH, MOST_WORDS, Words, parse_words
from smarthost.portals.access import whose_mail
from smarthost.portals.model import Caller
from smarthost.sending.model import Fault, refused
from smarthost.sending.moments import parse_date_time
from smarthost.web.emails.asked import INVALID_PARAMETER, NO_ID
from smarthost.web.emails.errors import VALIDATION, EmailsError
from smarthost.web.operations import Call

LISTED = 20
"""E-mails on a page, where nothing is said."""
MOST_LISTED = 100
MOST_ATTEMPTS = 1_000

_LONGEST_NUMBER = 9
_STANDINGS = "|".join(Standing)
_LONGEST_ADDRESS = 512  # characters, of the text that the parser of addresses takes

T = TypeVar("T")


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A page that is asked for."""

    limit: int
    after: str | None
    before: str | None
    wanted: Wanted


class _Reader:
    """Reads parameters one after the other, and keeps what is wrong with them."""

    def __init__(self, query: dict[str, str]) -> None:
        self._query = query
        self.faults: list[Fault] = []

    def read(self, name: str, parse: Callable[[str], T]) -> T | None:
        """Return the value of a parameter, None where it is absent or wrong."""
        if name in self._query:
            try:
                return parse(self._query[name])
            except ValueError as error:
                self.faults.append(Fault(field=name, message=str(error)))
        return None


def page_of(call: Call[Caller]) -> Asked:
    """Return which page is asked for. Raises `EmailsError`."""
    reader = _Reader(call.query)
    asked = Asked(
        limit=reader.read("limit", partial(_limit, MOST_LISTED)) or LISTED,
        after=reader.read("after", _id),
        before=reader.read("before", _id),
        wanted=Wanted(
            owner=whose_mail(call.caller),
            standings=reader.read("state", _standings) or frozenset(),
            recipient=reader.read("recipient", _address),
            accepted_from=reader.read("accepted_after", parse_date_time),
            accepted_before=reader.read("accepted_before", parse_date_time),
            words=reader.read("search", parse_words) or Words(),
        ),
    )
    if reader.faults:
        raise _refusal(reader.faults)
    if asked.after is not None and asked.before is not None:
        message = "Give after or before, not both."
        raise EmailsError(HTTPStatus.UNPROCESSABLE_ENTITY, VALIDATION, message)
    return asked


def limit_of(call: Call[Caller], most: int) -> int | None:
    """Return how many are asked for, None where nothing is said. Raises `EmailsError`."""
    reader = _Reader(call.query)
    limit = reader.read("limit", partial(_limit, most))
    if reader.faults:
        raise _refusal(reader.faults)
    return limit


def _refusal(faults: list[Fault]) -> EmailsError:
    told = refused(faults)
    ids_alone = all(fault.message == NO_ID for fault in faults)
    name = INVALID_PARAMETER if ids_alone else VALIDATION
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    return EmailsError(status, name, told.message, told.by_field())


def _limit(most: int, text: str) -> int:
    # ASCII digits, and not so many that they take long to read.
    if re.fullmatch("[0-9]+", text) and len(text) <= _LONGEST_NUMBER:
        limit = int(text)
        if 1 <= limit <= most:
            return limit
    raise ValueError(f"This must be a whole number from 1 to {most}.")


def _id(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        raise ValueError(NO_ID) from None


def _standings(text: str) -> frozenset[Standing]:
    try:
        return frozenset(map(Standing, text.split(",")))
    except ValueError:
        raise ValueError(f"Give one or more of {', '.join(Standing)}, parted by commas.") from None


def _address(text: str) -> str:
    return str(parse_address(text))


PARAMETERS: dict[str, Any] = {
    "limit": Annotated[
        int,
        Meta(ge=1, le=MOST_LISTED, description=f"How many; {LISTED} where nothing is said."),
    ],
    "after": Annotated[UUID, Meta(description="An id, such as `next`: what is older follows.")],
    "before": Annotated[
        UUID, Meta(description="An id: what is next to it and newer. Not with after.")
    ],
    "state": Annotated[
        str,
        Meta(
            pattern=f"^({_STANDINGS})(,({_STANDINGS}))*$",
            description="Those that stand so; several, parted by commas: in any of these ways. "
            "It is their `last_event`; `held` are those with a recipient that waits for somebody "
            "to release it, whatever became of the others.",
        ),
    ],
    "recipient": Annotated[
        str,
        Meta(
            min_length=1,
            max_length=_LONGEST_ADDRESS,
            description="Those to this address, as a whole; the part before the @ in its case.",
        ),
    ],
    "accepted_after": Annotated[
        str,
        Meta(
            min_length=1,
            description="Those with a `created_at` of this moment or later: ISO 8601, without a "
            "time zone UTC.",
        ),
    ],
    "accepted_before": Annotated[
        str, Meta(min_length=1, description="Those with a `created_at` before this moment.")
    ],
    "search": Annotated[
        str,
        Meta(
            min_length=1,
            max_length=LONGEST_SEARCH,
            description="Those whose subject, from, to, cc, bcc and Message-ID hold all of these "
            f"words, without regard to case, also as parts of words; at most {MOST_WORDS}. Each "
            f"page looks through {LOOKED_AT:,} e-mails at most, and `next` says how far it came.",
        ),
    ],
}
"""The query's parameters, as the document has them."""

ATTEMPTS_PARAMETERS: dict[str, Any] = {
    "limit": Annotated[
        int, Meta(ge=1, le=MOST_ATTEMPTS, description="So many of the newest; absent: all.")
    ]
}
"""Likewise those of the attempts of one e-mail."""
