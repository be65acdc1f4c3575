"""How fast the administrator's pages come, how large they are, and what a million messages cost.

Prints a table of medians: pages a second beside a bare echo under the same server, octets with all
that a page loads, and each page of a portal with many messages beside that of one with few. All of
them take turns within each round. Needs wrk (Debian: `apt-get install wrk`).
"""

import argparse
import asyncio
import re
import socket
import statistics
import sys
import tempfile
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote_plus

import msgspec

from benchmarks.mail_rows import ADDRESS, SEARCHED, write_mail
from benchmarks.serving import Figures, baseline, load, need_wrk, service, tell
from smarthost.app.first_start import initialise
from smarthost.app.parts import open_parts
from smarthost.audit.model import OPERATOR, Actor
from smarthost.config import load_config
from smarthost.secret import Secret
from smarthost.smtp_settings.model import Draft, SmtpSettings

_OPERATOR = Actor(name=OPERATOR)
_ROUNDS = 4
_SECONDS = 2
_CONNECTIONS = 4
_LOADED = re.compile(r'(?:href|src)="(/assets/[^"]+)"')


class Seat(msgspec.Struct, frozen=True, kw_only=True):
    """A service with one portal, and somebody signed in to it."""

    url: str
    host: str
    session: str
    failed: str
    """The id of a message that failed."""


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """One page of the table."""

    name: str
    path: str
    """`{failed}` is the id of a message."""


_PAGES = (
    Shown(name="settings", path="/settings"),
    Shown(name="history", path="/history"),
    Shown(name="keys", path="/keys"),
    Shown(name="mail", path="/mail"),
    Shown(name="mail that failed", path="/mail?state=failed"),
    Shown(name="mail to somebody", path=f"/mail?recipient={quote_plus(ADDRESS)}"),
    Shown(name="mail searched for", path=f"/mail?search={quote_plus(SEARCHED)}"),
    Shown(name="mail searched for in vain", path="/mail?search=nowhere"),
    Shown(name="one message", path="/mail/{failed}"),
)


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--messages", type=int, nargs=2, default=(1_000, 1_000_000))
    arguments.add_argument("--rounds", type=int, default=_ROUNDS)
    arguments.add_argument("--seconds", type=int, default=_SECONDS)
    given = arguments.parse_args()
    need_wrk()
    with tempfile.TemporaryDirectory(prefix="smarthost-benchmark-") as folder:
        _run(Path(folder), tuple(given.messages), given.rounds, given.seconds)


def _run(folder: Path, sizes: Sequence[int], rounds: int, seconds: int) -> None:
    made = {}
    for size in sizes:
        tell(f"Making a portal with {size:,} messages …")
        made[size] = asyncio.run(_populate(folder / str(size), size))
    few, many = (_environment(folder / str(size)) for size in sizes)
    found: dict[tuple[str, str], list[Figures]] = {}
    with (
        service(few) as (url_of_few, *_),
        service(many) as (url_of_many, *_),
        baseline("echo") as echo,
    ):
        seats = [
            Seat(url=url, host=url.removeprefix("http://"), session=session, failed=failed)
            for url, (session, failed) in zip(
                (url_of_few, url_of_many), (made[size] for size in sizes), strict=True
            )
        ]
        octets = {page.name: _octets(seats[0], page) for page in _PAGES}
        for number in range(1, rounds + 1):
            for page in _PAGES:
                tell(f"Round {number} of {rounds}: {page.name} …")
                found.setdefault((page.name, "echo"), []).append(
                    load(echo, _CONNECTIONS, seconds, "pages.lua", "/", "none", "localhost")
                )
                for name, seat in zip(("few", "many"), seats, strict=True):
                    figures = _loaded(seat, page, seconds)
                    found.setdefault((page.name, name), []).append(figures)
    _report(sizes, found, octets)


def _loaded(seat: Seat, page: Shown, seconds: int) -> Figures:
    path = page.path.format(failed=seat.failed)
    arguments = (path, seat.session, seat.host)
    figures = load(seat.url, _CONNECTIONS, seconds, "pages.lua", *arguments)
    if figures.failed:
        sys.exit(f"{figures.failed} requests of {path} failed: these figures mean nothing.")
    return figures


def _octets(seat: Seat, page: Shown) -> tuple[int, int]:
    """Return the octets of a page, and of it with all that it loads; nothing is compressed."""
    html = _get(seat, page.path.format(failed=seat.failed))
    loaded = set(_LOADED.findall(html.decode()))
    return len(html), len(html) + sum(len(_get(seat, path)) for path in loaded)


def _get(seat: Seat, path: str) -> bytes:
    headers = {"Cookie": f"asc_auth_key={seat.session}"}
    request = urllib.request.Request(f"{seat.url}{path}", headers=headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        if answer.url != f"{seat.url}{path}":
            sys.exit(f"{path} leads to {answer.url}.")
        content: bytes = answer.read()
        return content


def _report(
    sizes: Sequence[int],
    found: dict[tuple[str, str], list[Figures]],
    octets: dict[str, tuple[int, int]],
) -> None:
    print(
        f"| page | octets | with all that it loads | a second, {sizes[0]:,} messages | of the "
        f"bare echo | milliseconds a page | with {sizes[1]:,} messages |"
    )
    print("|---|---:|---:|---:|---:|---:|---:|")
    for page in _PAGES:
        few, many, echo = (found[page.name, name] for name in ("few", "many", "echo"))
        rate = statistics.median(one.per_second for one in few)
        of_echo = statistics.median(
            one.per_second / bare.per_second for one, bare in zip(few, echo, strict=True)
        )
        cost = statistics.median(
            one.per_second / more.per_second for one, more in zip(few, many, strict=True)
        )
        alone, whole = octets[page.name]
        print(
            f"| {page.name} | {alone:,} | {whole:,} | {rate:,.0f} | {of_echo:.3f} | "
            f"{1000 / rate:.2f} | **x {cost:.2f}** |"
        )


async def _populate(data: Path, size: int) -> tuple[str, str]:
    """Make a portal with settings, a key and mail; return a session and a failed message's id."""
    config = load_config(
        _environment(data),
        working_directory=data.parent,
        machine_name=socket.getfqdn,
        stderr_is_terminal=False,
    )
    async with open_parts(config, create=True) as parts:
        first = await initialise(parts, "admin@example.com")
        for port in (25, 465, 587):
            await parts.settings.save(first.portal.id, _draft(port), _OPERATOR)
        _, link = await parts.links.make(first.administrator, _OPERATOR)
        begun = await parts.links.use(first.portal, link.text(), _OPERATOR)
        assert begun is not None
    database = data / "smarthost.db"
    failed = await asyncio.to_thread(write_mail, database, first.portal.id, size)
    return begun[1].text().reveal(), failed


def _draft(port: int) -> Draft:
    settings = SmtpSettings(
        host="mail.example.com",
        port=port,
        sender_address="notify@example.com",
        sender_display_name="Shop",
        user_name="notify@example.com",
        enable_ssl=True,
        enable_auth=True,
        use_ntlm=False,
    )
    return Draft(settings=settings, password=Secret("correct horse battery staple"))


def _environment(data: Path) -> dict[str, str]:
    # One user may ask 1,500 times a minute; the counting itself stays on.
    return {"SMARTHOST_DATA_DIR": str(data), "SMARTHOST_RATE_LIMITS": "off"}


if __name__ == "__main__":
    main()
