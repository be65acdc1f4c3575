"""Reads server-sent events as they come, as a client that hides nothing."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection, HTTPMessage
from typing import Any, NamedTuple

from tests.contract.service import Service

PATIENCE = 30.0


class Told(NamedTuple):
    name: str
    value: Any


class Stream:
    """An answer of events; those that come are taken one after the other."""

    def __init__(self, response: Any) -> None:
        self.status: int = response.status
        self.headers: HTTPMessage = response.msg
        self._response = response

    def next(self) -> Told:
        """Wait for the next event."""
        name = self._response.readline()
        while name == b":\n":  # a comment, and the blank line behind it
            assert self._response.readline() == b"\n"
            name = self._response.readline()
        data, end = self._response.readline(), self._response.readline()
        assert (name[:7], data[:6], end) == (b"event: ", b"data: ", b"\n"), (name, data, end)
        return Told(name[7:-1].decode(), json.loads(data[6:]))

    def __iter__(self) -> Iterator[Told]:
        """All that is left."""
        while not self._response.closed and self._response.peek(1):
            yield self.next()

    def close(self) -> None:
        self._response.close()


@contextmanager
def streaming(
    service: Service, method: str, path: str, body: object = None, **headers: str
) -> Iterator[Stream]:
    """Ask as the first administrator; at the end the connection is closed."""
    connection = HTTPConnection("127.0.0.1", service.port, timeout=PATIENCE)
    given = {"Host": service.host(service.portal), "Authorization": service.key}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    with streamed(connection, method, path, body, given) as stream:
        yield stream


@contextmanager
def streamed(
    connection: HTTPConnection, method: str, path: str, body: object, headers: dict[str, str]
) -> Iterator[Stream]:
    """Ask over this connection, which is closed at the end."""
    given = dict(headers)
    octets = None if body is None else json.dumps(body).encode()
    if octets is not None:
        given["Content-Type"] = "application/json"
    with closing(connection):
        connection.request(method, path, octets, given)
        response = connection.getresponse()
        with closing(response):
            yield Stream(response)


def steps(told: list[Told]) -> list[str]:
    """The steps among events, as `connect ok`."""
    return [f"{one.value['step']} {one.value['state']}" for one in told if one.name == "step"]
