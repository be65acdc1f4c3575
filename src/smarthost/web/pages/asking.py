"""Asks the API's operations from within the process, as a client with the caller's rights would.

The same permission, the same decoding of the same JSON, the same function and the same refusal;
what falls away is the way over the network. What a page shows has the names of the documented
answers.
"""

import asyncio
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, NamedTuple

import msgspec

from smarthost.audit.model import Actor
from smarthost.clock import Clock
from smarthost.portals.access import authorize
from smarthost.portals.model import Caller, Portal
from smarthost.web.family import Decode
from smarthost.web.operations import Answer, Call, Operation
from smarthost.web.pages.page import Ask, AskedInVainError, Told
from smarthost.web.preconditions import revisions_that_match
from smarthost.web.proxies import Client
from smarthost.web.stopping import until_stopped


class Asker:
    """Knows the table of operations."""

    def __init__(
        self, operations: Iterable[Operation], clock: Clock, stopped: asyncio.Event
    ) -> None:
        """Take what is set when the service stops, as `Pipeline` does."""
        self._operations = {operation.operation_id: operation for operation in operations}
        self._decoders: dict[str, Decode] = {}
        self._clock = clock
        self._stopped = stopped

    def on_behalf_of(
        self, portal: Portal, caller: Caller | None, actor: Actor, client: Client
    ) -> Ask:
        """Return what asks with the rights of `caller`."""
        return partial(self._ask, _Visitor(portal, caller, actor, client))

    async def _ask(
        self,
        visitor: "_Visitor",
        operation_id: str,
        *,
        body: Mapping[str, object] | None = None,
        path: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        if_match: str | None = None,
    ) -> Told:
        operation = self._operations[operation_id]
        try:
            if operation.action is not None:
                assert visitor.caller is not None  # noqa: S101 - who asks it is signed in
                authorize(operation.action, visitor.caller, visitor.portal)
            call: Call[Any] = Call(
                **visitor._asdict(),
                body=None if body is None else self._decoded(operation, body),
                if_match=revisions_that_match(if_match),
                path=dict(path or {}),
                query=dict(query or {}),
                headers={},
            )
            return _told(await self._answer(operation, call))
        except Exception as error:
            refusal = operation.family.refusal_of(error, self._clock.now())
            if refusal is None:
                raise
            raise AskedInVainError(refusal) from error

    async def _answer(self, operation: Operation, call: Call[Any]) -> Answer:
        answering = operation.handler(call)
        if operation.waits_for_others:
            answer = await until_stopped(answering, self._stopped)
        else:
            answer = await answering
        assert isinstance(answer, Answer)  # noqa: S101 - no page asks for events
        return answer

    def _decoded(self, operation: Operation, body: Mapping[str, object]) -> object:
        decode = self._decoders.get(operation.operation_id)
        if decode is None:
            decode = operation.family.decoder(operation.body)
            self._decoders[operation.operation_id] = decode
        return decode(msgspec.json.encode(body))


class _Visitor(NamedTuple):
    """Who is asking; the names are those of `Call`."""

    portal: Portal
    caller: Caller | None
    actor: Actor
    client: Client


def _told(answer: Answer) -> Told:
    value = msgspec.json.decode(msgspec.json.encode(answer.value))
    return Told(value=value, headers=answer.headers)
