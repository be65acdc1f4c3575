"""The test message through relays that misbehave: it ends in time, with the right code, without
giving anything away, and the next one works.
"""

import asyncio
import base64
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme
import uvloop

from smarthost.clock import Clock, SystemClock
from smarthost.delivery.outcome import Code, Step
from smarthost.relay_check.model import TrialState
from smarthost.smtp.authentication import ROUNDS_LIMIT
from tests.authority import trust_everywhere
from tests.hostile_relays.honest import Relay
from tests.hostile_relays.installation import PASSWORD, USER_NAME, Installation, installation
from tests.hostile_relays.quick import LoopClock, QuickLoop
from tests.hostile_relays.relays import NoExtensions
from tests.hostile_relays.table import TABLE, Row

FAILURES = Path(__file__).parents[2] / "docs" / "failures.md"
MEGABYTE = 1024 * 1024
DEADLINE_SECONDS = 30.0
SOON_SECONDS = 10.0
MOST_MEMORY = 20 * MEGABYTE
SENTENCES = 5
"""At most; what the relay has said comes behind them."""


def _spellings() -> list[bytes]:
    """Return the password in its own letters, and as a login writes it."""
    texts = (PASSWORD, f"\0{USER_NAME}\0{PASSWORD}")
    return [PASSWORD.encode(), *(base64.b64encode(text.encode()) for text in texts)]


def _holds_password(data: bytes) -> bool:
    return any(spelling in data for spelling in _spellings())


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(autouse=True)
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trust_everywhere(authority, tmp_path, monkeypatch)


class Memory:
    """How much more than at first this process has ever held, in octets of RSS."""

    def __init__(self) -> None:
        Path("/proc/self/clear_refs").write_text("5")  # forget the highest so far
        self._first = self._highest()

    def grown(self) -> int:
        return self._highest() - self._first

    @staticmethod
    def _highest() -> int:
        found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
        assert found
        return int(found[1]) * 1024


class Seen:
    """What a test came to, everywhere it shows."""

    def __init__(self, *, state: TrialState, attempts: Any, recipients: Any) -> None:
        self.state = state
        self.attempts: list[dict[str, Any]] = attempts
        self.recipients: list[dict[str, Any]] = recipients
        self.grown = 0
        self.seconds = 0.0


async def watched(portal: Installation, relay: Relay, row: Row) -> Seen:
    await portal.save(relay, row.settings)
    memory, began = Memory(), time.monotonic()
    state = await portal.test()
    seen = Seen(
        state=state,
        attempts=await portal.attempts(state),
        recipients=await portal.recipients(state),
    )
    seen.seconds = time.monotonic() - began
    seen.grown = memory.grown()
    return seen


async def the_next_works(portal: Installation, authority: trustme.CA) -> None:
    honest = Relay(authority)
    async with honest.running():
        await portal.save(honest)
        assert (await portal.test()).percents == 100
        assert len(honest.messages) == 1


def run(work: Callable[[Clock], Any], *, quick: bool) -> None:
    """Run on the service's own loop, or on one in which time passes quickly."""
    factory = QuickLoop if quick else uvloop.new_event_loop

    async def running() -> None:
        system = SystemClock()
        await work(LoopClock(system.now()) if quick else system)

    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(running())


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_a_relay_that_misbehaves_ends_the_test_and_nothing_else(
    row: Row, authority: trustme.CA, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    relay = row.relay(authority)

    async def work(clock: Clock) -> None:
        async with installation(tmp_path / "data", clock) as portal:
            async with relay.running():
                seen = await watched(portal, relay, row)
            check_outcome(row, seen)
            check_bounds(row, seen)
            await the_next_works(portal, authority)

    run(work, quick=row.slow)
    check_relay(row, relay)
    check_secret(relay, tmp_path / "data", "".join(capfd.readouterr()))


def check_outcome(row: Row, seen: Seen) -> None:
    """One attempt, its code, and a sentence for people; never tried again."""
    (attempt,) = seen.attempts
    found = (attempt["step"], attempt["code"], attempt["permanent"], attempt["in_doubt"])
    assert found == (row.step, row.code, row.permanent, row.in_doubt)
    assert attempt["attempt"] == 1
    assert attempt["result"] in {"deferred", "refused"}
    (recipient,) = seen.recipients
    assert (recipient["state"], recipient["due_at"]) == ("failed", None)
    assert (recipient["attempts_count"], recipient["in_doubt"]) == (1, row.in_doubt)
    check_words(row, seen.state, attempt["reply"])


def check_words(row: Row, state: TrialState, reply: str | None) -> None:
    """A few sentences, then what the relay said, made harmless."""
    error, _, quoted = state.error.partition(" The mail server said: ")
    assert 1 <= len(re.findall(r"[.?!](?= |$)", error)) <= SENTENCES
    assert error.isprintable()
    assert quoted == (reply or "")
    assert len(quoted) <= 200
    assert quoted.isprintable()
    assert state.percents < 100
    assert ("may have arrived" in error) is row.in_doubt


def check_bounds(row: Row, seen: Seen) -> None:
    allowed = DEADLINE_SECONDS + 5 if row.slow else SOON_SECONDS
    took = seen.attempts[0]["microseconds"] / 1_000_000
    assert took <= allowed
    assert seen.seconds <= SOON_SECONDS
    if row.slow and row.code is Code.TIMED_OUT:
        assert took >= DEADLINE_SECONDS - 0.5
    assert seen.grown <= MOST_MEMORY


def check_relay(row: Row, relay: Relay) -> None:
    """The relay has heard one try, no weaker login after a refusal, and taken nothing."""
    assert len(relay.peers) <= 1
    assert relay.messages == []
    assert relay.verbs.count("AUTH") == row.logins
    assert relay.responses <= ROUNDS_LIMIT
    assert ("*" in relay.verbs) is row.cancels
    if row.step is Step.TLS:
        assert not {"AUTH", "MAIL"} & set(relay.verbs)
    if row.code is Code.STARTTLS_INJECTION:
        assert relay.peers[0].heard_in_clear.endswith(b"STARTTLS\r\n"), "no ClientHello followed"


def check_secret(relay: Relay, data: Path, log: str) -> None:
    """The password went nowhere but into a login behind a proved certificate."""
    for peer in relay.peers:
        assert not _holds_password(bytes(peer.heard_in_clear))
        assert b"AUTH" not in peer.heard_in_clear
    for path in data.rglob("*"):
        assert not (path.is_file() and _holds_password(path.read_bytes())), path
    assert not _holds_password(log.encode())


def test_a_relay_without_extensions_gets_the_message_in_seven_bits(
    authority: trustme.CA, tmp_path: Path
) -> None:
    relay = NoExtensions(authority)

    async def work(clock: Clock) -> None:
        async with installation(tmp_path / "data", clock) as portal, relay.running():
            await portal.save(relay, {"sender_display_name": "B\u00fcro \u2013 Post"})
            assert (await portal.test()).percents == 100

    run(work, quick=False)
    (message,) = relay.messages
    assert message.isascii()
    assert max(map(len, message.split(b"\r\n"))) <= 998
    assert relay.verbs == ["EHLO", "STARTTLS", "EHLO", "AUTH", "MAIL", "RCPT", "DATA", "QUIT"]


def test_the_documentation_says_of_each_behaviour_what_comes_of_it() -> None:
    lines = FAILURES.read_text(encoding="utf-8").splitlines()
    documented = [line for line in lines if line.startswith("| ") and "`" in line]
    assert documented == [
        f"| {row.behaviour} | {row.step} | `{row.code}` | {row.outcome} |" for row in TABLE
    ]


def test_every_hostile_relay_is_in_the_table() -> None:
    expected = {f"H{number:02}" for number in (*range(1, 26), 27, 33)}
    assert {row.threat for row in TABLE} == expected
