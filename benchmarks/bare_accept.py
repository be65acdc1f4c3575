"""The least that a durable accept can be, under the very server that Smarthost runs on.

A batch is decoded as JSON without a look at its fields, and each message is written as one row;
one commit a batch, as durable as Smarthost's. Nobody is asked for a key, nothing is composed.
"""

import sys

import apsw
import msgspec
import uvloop

from smarthost.web.server import bind, make_server

_ANSWER = b'{"data":[]}'


class _Accept:
    """The application."""

    def __init__(self, path: str) -> None:
        self._store = apsw.Connection(path)
        self._store.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL")
        self._store.execute("CREATE TABLE messages (id INTEGER PRIMARY KEY, content BLOB)")

    async def __call__(self, scope: dict, receive, send) -> None:  # type: ignore[no-untyped-def,type-arg]  # noqa: ANN001
        body, more = b"", scope["method"] == "POST"
        while more:
            event = await receive()
            body += event.get("body", b"")
            more = event.get("more_body", False)
        if body:
            rows = [(msgspec.json.encode(one),) for one in msgspec.json.decode(body)]
            with self._store:
                self._store.executemany("INSERT INTO messages (content) VALUES (?)", rows)
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(_ANSWER)).encode()),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": _ANSWER})


async def _main(path: str, port: int) -> None:
    await make_server(_Accept(path)).serve(sockets=[bind("127.0.0.1", port)])


if __name__ == "__main__":
    uvloop.run(_main(sys.argv[1], int(sys.argv[2])))
