"""Takes a proxy's header off a connection that was accepted, and not one octet more.

It is looked at before it is read: whatever follows, such as the beginning of TLS, is still in the
socket for whoever takes the connection over.
"""

import asyncio
import socket

from smarthost.submission.proxy_header import (
    LONGEST,
    Address,
    ProxyHeaderError,
    header_size,
    told_address,
)


async def client_behind(connection: socket.socket, seconds: float) -> Address | None:
    """Return the address of the client behind the proxy at the other end, which sends its header.

    None: the header names none. Raises `ProxyHeaderError`, also when the header is not there after
    that many seconds, and `OSError` where the other end is gone without a word.
    """
    try:
        async with asyncio.timeout(seconds):
            return told_address(await _header(connection))
    except TimeoutError:
        raise ProxyHeaderError("No header came in time.") from None


async def _header(connection: socket.socket) -> bytes:
    header = b""
    while True:
        await _readable(connection)
        try:
            seen = connection.recv(LONGEST, socket.MSG_PEEK)
        except BlockingIOError:  # there was nothing after all
            continue
        if not seen:
            if header:
                raise ProxyHeaderError("The header has no end.")
            raise ConnectionAbortedError("Somebody looked whether the port is open.")
        size = header_size(header + seen)
        header += connection.recv(len(seen) if size is None else size - len(header))
        if len(header) == size:
            return header


async def _readable(connection: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready = loop.create_future()

    def wake() -> None:
        if not ready.done():
            ready.set_result(None)

    loop.add_reader(connection, wake)
    try:
        await ready
    finally:
        loop.remove_reader(connection)
