"""What an end point is: one row of a table that routing, decoding and OpenAPI are made from.

An end point's function gets a `Call`, in which everything about the request has been decided,
and returns an `Answer`, or `Events` where it answers bit by bit; it never sees HTTP's own objects.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

import msgspec

from smarthost.audit.model import Actor
from smarthost.portals.access import Action
from smarthost.portals.model import Caller, Portal
from smarthost.web.event_stream import Work
from smarthost.web.family import CONTRACT, Family
from smarthost.web.proxies import Client

C = TypeVar("C", bound=Caller | None)

NEEDED = {"needed": True}
"""`Meta.extra` of a field or parameter that the rules, not its type, ask for."""


class Call(msgspec.Struct, Generic[C], frozen=True, kw_only=True):
    """A request whose portal, caller and body are known. `C` is None without a caller."""

    portal: Portal
    caller: C
    actor: Actor
    client: Client
    body: Any
    """What the family's decoder makes of it; None for an operation without one, and where an
    optional one is missing."""
    if_match: frozenset[int] | None
    """The revisions that `If-Match` names; None: any."""
    path: dict[str, str]
    """The variable parts of the path."""
    query: dict[str, str]
    """Those parameters of the query that the operation names and that were sent."""
    headers: dict[str, str]
    """Likewise the headers, by the names that the operation has for them."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What is sent back: the value, which the family may wrap, and headers of this answer."""

    value: Any
    headers: dict[str, str] = {}


class Events(msgspec.Struct, frozen=True, kw_only=True):
    """What is sent back bit by bit. Whatever can be refused before has been."""

    work: Work


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """A value that documentation shows."""

    summary: str
    value: Any


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One method of one path."""

    family: Family = CONTRACT
    operation_id: str
    method: str
    path: str
    """With its variable parts in braces."""
    summary: str
    description: str
    tag: str
    handler: Callable[[Call[Any]], Awaitable[Answer | Events]]
    """Gives `Events` exactly where `events` is not empty."""
    action: Action | None
    """What the caller must be allowed to do; None: anybody may ask."""
    answer: Any
    """The type of the answer's value."""
    events: dict[str, Any] = {}
    """In place of an answer: the names of events, to the types of their values."""
    may_be_absent: bool = False
    """There may be no value to answer: then the envelope has no `response`."""
    waits_for_others: bool = False
    """It may take longer than a stop of the service leaves, and then ends with it (503)."""
    body: Any = None
    """The type of the request's body; None: a body is not looked at."""
    body_optional: bool = False
    """A request without a body has a meaning of its own."""
    entity_tagged: bool = False
    """The answer has an ETag."""
    may_end_oauth2: bool = False
    """The answer may have a notice that it has."""
    conditional: bool = False
    """`If-Match` is honoured."""
    body_examples: dict[str, Example] = {}
    answer_examples: dict[str, Example] = {}
    """Of an operation with events: of each the name and the value."""
    path_parameters: dict[str, Any] = {}
    """Name to type."""
    query_parameters: dict[str, Any] = {}
    """Name to type; none is needed that has not `NEEDED`."""
    header_parameters: dict[str, Any] = {}
    """Likewise."""
    may_conflict: bool = False
    """409 is one of the answers."""
    may_be_unprocessable: bool = False
    """422 is one of the answers."""
    may_be_missing: bool = False
    """404 is an answer about what the path names, not about the portal alone."""
