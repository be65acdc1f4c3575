"""What a check of settings adds to the protocol's own round trips, and what explaining costs.

The relay answers at once, in a process of its own. Beside the check, in the same round, a bare
client on a blocking socket says the very same commands over the same TLS and does nothing else;
both are timed up to the reply to RSET. The check is the whole of it: from settings as they were
typed, by an open installation with its store, to the JSON of the answer. Then `explain`, over the
examples of all patterns that the catalogue has.
"""

import argparse
import asyncio
import base64
import os
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import msgspec
import trustme
import uvloop

from smarthost.app.parts import Parts, open_parts
from smarthost.audit.model import OPERATOR, Actor
from smarthost.config import load_config
from smarthost.delivery.classify import Situation, classify
from smarthost.delivery.outcome import Step
from smarthost.explanations.explain import explain
from smarthost.explanations.failure import Facts, RelayShown
from smarthost.explanations.patterns import Patterns
from smarthost.portals.model import Portal
from smarthost.secret import Secret
from smarthost.smtp.errors import ProtocolError
from smarthost.smtp.replies import ReplyReader
from smarthost.smtp.reply import Reply
from smarthost.smtp_settings.model import SettingsInput
from smarthost.web.api.smtp_check_dto import check_dto

ROUNDS = 200
_WARM_UP = 10
_ADDRESS, _NAME = "127.0.0.1", "client.example.com"
_SENDER, _RECIPIENT = "sender@example.com", "ann@example.com"
_USER, _PASSWORD = "sender@example.com", "Correct-Horse-7"
_SECONDS = 30.0
_EXTENSIONS = ("PIPELINING", "8BITMIME", "SIZE 100000000")
_ROWS = ("no TLS, no login", "STARTTLS and AUTH PLAIN")
_SAID_IN = (Step.AUTHENTICATE, Step.SENDER, Step.RECIPIENT, Step.DATA)


class Times(msgspec.Struct):
    """Milliseconds of each round, in their order."""

    bare: list[float]
    check: list[float]


async def _answer(
    context: ssl.SSLContext | None, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Be a relay that says yes, and without `context` knows no TLS."""
    secure = False
    writer.write(b"220 relay.example.com ESMTP\r\n")
    while line := await reader.readline():
        match line[:4]:
            case b"EHLO":
                more = ("AUTH PLAIN LOGIN",) if secure else ("STARTTLS",)
                writer.write(_ehlo((*_EXTENSIONS, *(more if context else ()))))
            case b"STAR" if context:
                writer.write(b"220 2.0.0 Go on\r\n")
                await writer.start_tls(context)
                secure = True
            case b"AUTH":
                writer.write(b"235 2.7.0 Ok\r\n")
            case b"QUIT":
                writer.write(b"221 2.0.0 Bye\r\n")
                break
            case _:
                writer.write(b"250 2.0.0 Ok\r\n")
    writer.close()


def _ehlo(keywords: Sequence[str]) -> bytes:
    lines = ["250-relay.example.com", *(f"250-{word}" for word in keywords[:-1])]
    return "\r\n".join((*lines, f"250 {keywords[-1]}", "")).encode()


async def _serve(authority: Path) -> None:
    authority_made = trustme.CA()
    authority_made.cert_pem.write_to_path(authority)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority_made.issue_cert(_ADDRESS).configure_cert(context)
    clear = await asyncio.start_server(partial(_answer, None), _ADDRESS, 0)
    secure = await asyncio.start_server(partial(_answer, context), _ADDRESS, 0)
    print(*(one.sockets[0].getsockname()[1] for one in (clear, secure)), flush=True)
    await asyncio.gather(clear.serve_forever(), secure.serve_forever())


@contextmanager
def relay(authority: Path) -> Iterator[tuple[int, int]]:
    """Run the relay in its own process; gives its ports, the one without TLS first."""
    command = [sys.executable, "-m", "benchmarks.check", "--relay", str(authority)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            clear, secure = process.stdout.readline().split()
            yield int(clear), int(secure)
        finally:
            process.terminate()


def bare(port: int, context: ssl.SSLContext, *, secure: bool) -> float:
    """Say what a check says, and give the milliseconds up to the reply to RSET."""
    began = time.perf_counter()
    with socket.create_connection((_ADDRESS, port), timeout=_SECONDS) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _heard(connection)
        _said(connection, f"EHLO {_NAME}")
        if not secure:
            return _up_to_rset(connection, began)
        _said(connection, "STARTTLS")
        with context.wrap_socket(connection, server_hostname=_ADDRESS) as secured:
            _said(secured, f"EHLO {_NAME}")
            plain = base64.b64encode(f"\0{_USER}\0{_PASSWORD}".encode()).decode()
            _said(secured, f"AUTH PLAIN {plain}")
            return _up_to_rset(secured, began)


def _up_to_rset(connection: socket.socket, began: float) -> float:
    _said(connection, f"MAIL FROM:<{_SENDER}> SIZE=2000")
    _said(connection, f"RCPT TO:<{_RECIPIENT}>")
    _said(connection, "RSET")
    taken = 1000 * (time.perf_counter() - began)
    _said(connection, "QUIT")
    return taken


def _said(connection: socket.socket, line: str) -> None:
    connection.sendall(f"{line}\r\n".encode())
    _heard(connection)


def _heard(connection: socket.socket) -> None:
    """Read one reply; its last line has a space behind the code."""
    heard = b""
    while not heard.endswith(b"\r\n") or heard.splitlines()[-1][3:4] != b" ":
        heard += connection.recv(65_536)


async def checked(parts: Parts, portal: Portal, typed: SettingsInput) -> float:
    """Check, and give the milliseconds up to the answer."""
    began = time.perf_counter()
    prepared = await parts.check.prepare(portal, typed, _RECIPIENT, by=Actor(name=OPERATOR))
    found = await parts.check.run(prepared)
    msgspec.json.encode(check_dto(found))
    taken = 1000 * (time.perf_counter() - began)
    assert found.ok, found.failure
    # The goodbye, which nobody waits for, is not the next one's.
    await parts.check.close()
    return taken


async def measure(folder: Path, port: int, rounds: int, *, secure: bool) -> Times:
    """Take turns with the bare client."""
    context = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
    typed = SettingsInput(host=_ADDRESS, port=port, sender_address=_SENDER)
    if secure:
        login = {"user_name": _USER, "password": Secret(_PASSWORD)}
        typed = msgspec.structs.replace(typed, enable_ssl=True, enable_auth=True, **login)
    config = load_config(
        {"SMARTHOST_DATA_DIR": str(folder / f"data-{secure}"), "SMARTHOST_HELO_NAME": _NAME},
        working_directory=folder,
        machine_name=str,
        stderr_is_terminal=False,
    )
    times = Times(bare=[], check=[])
    async with open_parts(config, create=True) as parts:
        portal = await parts.portals.create_portal("benchmark", Actor(name=OPERATOR))
        for _ in range(_WARM_UP + rounds):
            times.bare.append(bare(port, context, secure=secure))
            times.check.append(await checked(parts, portal, typed))
    return Times(bare=times.bare[_WARM_UP:], check=times.check[_WARM_UP:])


def facts_of(texts: Sequence[str]) -> list[Facts]:
    """Give what is known when a relay says these, in every step in which it might."""
    shown = RelayShown(host="mail.example.com", port=587, enable_ssl=True, enable_auth=True)
    found = []
    for reply in filter(None, map(_reply, texts)):
        for step in _SAID_IN:
            verdict = classify(step, reply, Situation(tls=True, logged_in=True))
            found.append(
                Facts(
                    step=step,
                    code=verdict.code,
                    permanent=verdict.permanent,
                    reply=reply.text,
                    relay=shown,
                    tls="TLSv1.3",
                )
            )
    return found


def explaining(facts: Sequence[Facts], rounds: int) -> list[float]:
    """Give the microseconds for each reply, once a round."""
    found = []
    for _ in range(rounds):
        began = time.perf_counter()
        for one in facts:
            explain(one)
        found.append(1_000_000 * (time.perf_counter() - began) / len(facts))
    return found


def examples() -> list[str]:
    """Give the examples of all patterns that a reply is part of."""
    replies = (pattern.example.reply for pattern in Patterns.load().all)
    return [reply for reply in replies if reply is not None]


def _reply(text: str) -> Reply | None:
    """Read an example as a relay would say it, in one line; None where it is no reply."""
    line = f"{text[:3]} {text[4:]}".encode(errors="replace") + b"\r\n"
    try:
        return next(ReplyReader().feed(line), None)
    except ProtocolError:
        return None


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--relay", type=Path, help=argparse.SUPPRESS)
    arguments.add_argument("--rounds", type=int, default=ROUNDS)
    given = arguments.parse_args()
    if given.relay is not None:
        asyncio.run(_serve(given.relay))
        return
    with tempfile.TemporaryDirectory(prefix="smarthost-benchmark-") as name:
        folder = Path(name)
        authority = folder / "authority.pem"
        os.environ["SSL_CERT_FILE"] = str(authority)
        print("| a check of | bare p50 ms | check p50 ms | adds p50 ms | adds p95 ms |")
        print("|---|---|---|---|---|")
        with relay(authority) as ports:
            for words, port in zip(_ROWS, ports, strict=True):
                secure = port == ports[-1]
                _row(words, uvloop.run(measure(folder, port, given.rounds, secure=secure)))
    facts = facts_of(examples())
    microseconds = statistics.median(explaining(facts, given.rounds))
    print(f"\nexplaining a reply: {microseconds:.1f} µs each, over {len(facts)} of them")


def _row(words: str, times: Times) -> None:
    added = [check - bare for bare, check in zip(times.bare, times.check, strict=True)]
    figures = (
        statistics.median(times.bare),
        statistics.median(times.check),
        statistics.median(added),
        statistics.quantiles(added, n=20)[-1],
    )
    print(f"| {words} | {' | '.join(f'{figure:.1f}' for figure in figures)} |", flush=True)


if __name__ == "__main__":
    main()
