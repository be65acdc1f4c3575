"""A bare echo under the very server that Smarthost runs on: what the server alone can do."""

import sys

import uvloop

from smarthost.web.server import bind, make_server

_EMPTY = b'{"response":{}}'


async def _echo(_scope: dict, receive, send) -> None:  # type: ignore[no-untyped-def,type-arg]  # noqa: ANN001
    body, more = b"", True
    while more:
        event = await receive()
        body += event.get("body", b"")
        more = event.get("more_body", False)
    answer = body or _EMPTY
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(answer)).encode()),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})


async def _main(port: int) -> None:
    await make_server(_echo).serve(sockets=[bind("127.0.0.1", port)])


if __name__ == "__main__":
    uvloop.run(_main(int(sys.argv[1])))
