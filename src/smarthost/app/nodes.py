"""What a node of several on one PostgreSQL has beside its worker: its place among the others."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from smarthost.clock import Clock
from smarthost.database.engine import Database
from smarthost.ids import Ids
from smarthost.mail_queue.leases.store import LeaseStore
from smarthost.mail_queue.nodes.membership import Membership
from smarthost.mail_queue.nodes.store import NodeStore

if TYPE_CHECKING:  # its driver is loaded where there is a server for it to talk to
    from smarthost.database.hints import Hints


class Nodes(NamedTuple):
    """A node's place among the others."""

    membership: Membership
    hints: "Hints"
    keep_ending_hung: Callable[[], Awaitable[None]]

    async def run(self) -> None:
        """See to the others, until cancelled."""
        await asyncio.gather(self.membership.run(), self.keep_ending_hung())


def nodes(database: Database, leases: LeaseStore, clock: Clock, ids: Ids) -> Nodes:
    """Give this process a name, under which it has joined nobody yet."""
    from smarthost.database.hints import Hints  # noqa: PLC0415
    from smarthost.database.hung_sessions import (  # noqa: PLC0415
        end_sessions_of,
        keep_ending_hung_sessions,
    )
    from smarthost.database.postgresql import PostgresqlDatabase  # noqa: PLC0415

    assert isinstance(database, PostgresqlDatabase)  # noqa: S101 - what the URL opens
    name = ids.new()
    database.name_sessions(name)

    async def take_over_from(node: str) -> int:
        # It may live and be cut off, with transactions open that nobody else gets by.
        await end_sessions_of(database, node)
        return await leases.take_over_from(node)

    membership = Membership(
        NodeStore(database, clock),
        name,
        clock,
        take_over=take_over_from,
        leave=leases.leave,
    )
    hints = Hints(database, name, clock, random.random)
    watch = partial(keep_ending_hung_sessions, database, clock, membership.is_first)
    return Nodes(membership, hints, watch)
