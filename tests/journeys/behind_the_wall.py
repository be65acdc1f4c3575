"""What test_gate.py does in a network of its own: it runs the real program before many relays.

It prints what came of it as JSON; the test judges.
"""

import itertools
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import trustme

from tests.cli.program import Program
from tests.contract.process import Process
from tests.contract.service import SETTINGS, Reply
from tests.journeys.application import Application
from tests.journeys.everywhere import begun, running_everywhere
from tests.journeys.served import serving
from tests.journeys.sink import until
from tests.name_server import Records, Said, Trouble, Zone, name_server
from tests.smtp.destinations import PUBLIC_4, Destination, forbidden

MOVING = "moving.gate.example"
_DNS_PORT = 53
# What the name servers of a moving name say, one after the other; in seven turns, so that each of
# the three ways meets each of them.
_MOVES = (
    (PUBLIC_4,),
    ("127.0.0.1",),
    (PUBLIC_4, "10.0.0.1"),
    (PUBLIC_4,),
    (PUBLIC_4, "::1"),
    (),
    ("::ffff:127.0.0.1",),
)
_TROUBLE: Zone = {
    "servfail.gate.example": Trouble.SERVFAIL,
    "nothing.gate.example": {},
    "nowhere.gate.example": Trouble.NXDOMAIN,
}


class Came(NamedTuple):
    """What came of one destination, as codes; nothing else was found where it is saved."""

    host: str
    port: int
    saved: int
    """The status of the answer."""
    check: str | None = None
    test: str | None = None
    mail: str | None = None
    address: str | None = None
    """What an attempt tells that it was connected to."""


@dataclass(frozen=True, kw_only=True)
class Counted(Process):
    """Counts its own connections."""

    asked: list[str] = field(default_factory=list)

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Reply:
        self.asked.append(path)
        return super().ask(method, path, body, **headers)


class Administrator:
    """Types in one destination after the other."""

    def __init__(self, process: Process) -> None:
        self._application = Application(process=process)
        self._count = 0

    def save(self, body: dict[str, Any]) -> int:
        """Save settings that differ from those before, so that what waits is tried at once.

        Returns the status of the answer.
        """
        self._count += 1
        changed = body | {"senderDisplayName": f"{self._count}"}
        return self._application.ask("POST", SETTINGS, changed).status

    def check(self, body: dict[str, Any]) -> str | None:
        """Return what a check fails with: its code, or the status where nothing is checked."""
        answer = self._application.ask("POST", f"{SETTINGS}/check", body)
        return _code(answer.json()["response"]) if answer.status == 200 else str(answer.status)

    def begin_test(self) -> None:
        self._application.ask("GET", f"{SETTINGS}/test")

    def test(self) -> str | None:
        """Wait for the end of the test; gives its error."""
        states: list[Any] = []

        def is_over() -> bool:
            status = self._application.ask("GET", f"{SETTINGS}/test/status")
            states.append(status.json()["response"])
            return bool(states[-1]["completed"])

        until(is_over)
        return states[-1]["error"] or None

    def send(self) -> str:
        return self._application.send()

    def mail(self, message_id: str) -> tuple[str | None, str | None]:
        """Wait for the attempt of a message; gives its code and address."""
        attempts: list[Any] = []

        def is_tried() -> bool:
            attempts.extend(self._application.attempts(message_id))
            return bool(attempts)

        until(is_tried)
        if attempts[0]["outcome"] != "accepted":
            self._application.ask("POST", f"/emails/{message_id}/cancel")
        return _code(attempts[0]), attempts[0].get("address")


def _body(host: str, port: int, *, ssl: bool) -> dict[str, Any]:
    return {
        "host": host,
        "port": port,
        "senderAddress": "notify@example.com",
        "enableSSL": ssl,
    }


def _code(answer: Any) -> str | None:
    failure = answer.get("failure")
    return None if failure is None else str(failure["code"])


def _tried(administrator: Administrator, destination: Destination) -> Came:
    place = destination.host, destination.port
    body = _body(*place, ssl=False)
    status = administrator.save(body)
    if status != 200:
        check = administrator.check(body)
        return Came(*place, saved=status, check=check)
    administrator.begin_test()
    message_id = administrator.send()
    check = administrator.check(body)
    mail, address = administrator.mail(message_id)
    test = administrator.test()
    return Came(*place, saved=status, check=check, test=test, mail=mail, address=address)


def _moved(administrator: Administrator, moves: int) -> Iterator[str | None]:
    """Ask for the moving name again and again, in the three ways."""
    for number in range(moves):
        body = _body(MOVING, 587, ssl=True)
        administrator.save(body)
        match number % 3:
            case 0:
                yield administrator.check(body)
            case 1:
                administrator.begin_test()
                yield administrator.test()
            case _:
                yield administrator.mail(administrator.send())[0]


class _Moving:
    """What is said of the name that moves."""

    def __init__(self) -> None:
        self.moves: list[tuple[str, ...]] = []
        self._moves = itertools.cycle(_MOVES)

    def __call__(self, kind: str) -> Said:
        # getaddrinfo asks for both families at once, and A first: one answer for one lookup.
        if kind == "A":
            self.moves.append(next(self._moves))
        return _addresses(self.moves[-1]) if self.moves[-1] else Trouble.NXDOMAIN


def _addresses(texts: tuple[str, ...]) -> Records:
    found: dict[str, list[str]] = {}
    for text in texts:
        found.setdefault("AAAA" if ":" in text else "A", []).append(text)
    return found


def _said(destination: Destination) -> Iterator[tuple[str, Said]]:
    """Give what is said of a name, and of the names that it is only another name for."""
    name = destination.name
    for number in range(destination.aliases):
        alias = f"alias-{number}.{destination.name}"
        yield name, {"CNAME": [f"{alias}."]}
        name = alias
    yield name, _addresses(destination.answers)


@contextmanager
def _running(folder: Path, networks: str, ca: trustme.CA) -> Iterator[Counted]:
    program = Program(folder=folder)
    key = program.init()
    authority = str(folder / "ca.pem")
    ca.cert_pem.write_to_path(authority)
    environ = {"SMARTHOST_RELAY_NETWORKS": networks, "SSL_CERT_FILE": authority}
    with serving(program, **environ) as service:
        yield Counted(pid=service.pid, port=service.port, key=key)


def main(folder: Path, networks: str, every: int, moves: int) -> None:
    """Try every so-manieth destination, then names in trouble, then a name that moves."""
    destinations = [*forbidden()[::every], *map(Destination, _TROUBLE)]
    moving, ca = _Moving(), trustme.CA()
    known = dict(said for one in destinations if one.answers for said in _said(one))
    zone: Zone = {MOVING: moving, **known, **_TROUBLE}
    with name_server(zone, _DNS_PORT) as server, running_everywhere(ca, MOVING) as everywhere:
        with _running(folder, networks, ca) as process:
            before, administrator = begun(), Administrator(process)
            came = [_tried(administrator, one) for one in destinations]
            own = begun() - before - len(process.asked)
            inside = list(everywhere.reached)
            moved = list(_moved(administrator, moves))
            all_own = begun() - before - len(process.asked)
        # The last sessions have ended with the service.
        until(lambda: len(everywhere.reached) >= all_own)
    found = {
        "came": [one._asdict() for one in came],
        "begun": own,
        "inside": inside,
        "moves": moving.moves,
        "moved": moved,
        "lookups": [asked[1:] for asked in server.asked].count((MOVING, "A")),
        "begun while it moved": all_own - own,
        "reached": everywhere.reached,
    }
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:]))
