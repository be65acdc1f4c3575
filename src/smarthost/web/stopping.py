"""What ends with the service, since it waits for others for longer than a stop leaves.

A request that only reads or writes here is done within the grace of a stop. One that waits for a
relay is not: it would be cut off at the end of the grace, after everybody had waited for it.
"""

import asyncio
from collections.abc import Awaitable
from http import HTTPStatus
from typing import Any, TypeVar

from smarthost.web.errors import RequestError

T = TypeVar("T")

_RETRY_SECONDS = 5


def is_stopping() -> RequestError:
    """Return the refusal of what ended with the service."""
    return RequestError(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The service is stopping. Try again in a few seconds.",
        headers={"Retry-After": str(_RETRY_SECONDS)},
    )


async def until_stopped(work: Awaitable[T], stopped: asyncio.Event) -> T:
    """Return what `work` returns; cancel it when `stopped` is set.

    Raises `RequestError` (503) then, and what `work` raises.
    """
    working = asyncio.ensure_future(work)
    stopping = asyncio.create_task(stopped.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await ended({working, stopping})
    if working.cancelled():
        raise is_stopping()
    return working.result()


async def ended(tasks: set[asyncio.Future[Any]]) -> None:
    """Cancel these tasks, and wait until all of them have ended."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
