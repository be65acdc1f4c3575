"""How fast mail goes through: submitted with a login, durably queued, handed to a relay.

Run from the repository's root as `python -m benchmarks.relay`. Smarthost and a Postfix with a
relayhost take turns within each round, with the same generator and the same sink, each a process
of its own; so a machine whose speed drifts changes both. Every message is looked for at the sink,
octet by octet: a run that lost or doubled one gives no figures. Prints a table of medians, and the
ratios' least and most. Needs Postfix and root.
"""

import argparse
import select
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from pathlib import Path

import msgspec

from benchmarks.process_tree import Memory, cpu_seconds, most_memory
from benchmarks.relay_generator import SECONDS, Order, Submitted, message, recipient
from benchmarks.relay_products import Product, missing_for_postfix, postfix, smarthost
from benchmarks.relay_sink import Arrived, digest
from benchmarks.serving import tell

MESSAGES = 5_000
SIZES = (2 * 1024, 20 * 1024)  # octets
SESSIONS = 20
ROUNDS = 5
_PRODUCTS: Mapping[str, Callable[[Path, int], AbstractContextManager[Product]]] = {
    "smarthost": smarthost,
    "smarthost-2": partial(smarthost, processes=2),
    "postfix": postfix,
}
_SETTLE_SECONDS = 60.0
_WARM = 20  # messages of each session before the first round


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What is sent through each product in a round."""

    messages: int
    octets: int
    sessions: int


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What one product did in one round. CPU is milliseconds for each message."""

    per_second: float
    """From the first MAIL to the last message at the sink."""
    accepted: float
    """A second, from the first MAIL to the last 250 at the generator."""
    cpu: float
    generator: float
    sink: float
    connections: int
    """To the sink."""


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=ROUNDS)
    arguments.add_argument("--messages", type=int, default=MESSAGES)
    arguments.add_argument("--sessions", type=int, default=SESSIONS)
    arguments.add_argument("--octets", type=int, nargs="+", default=SIZES)
    arguments.add_argument("--only", nargs="+", choices=tuple(_PRODUCTS))
    given = arguments.parse_args()
    names = given.only or list(_PRODUCTS)
    if "postfix" in names and (missing := missing_for_postfix()):
        sys.exit(missing)
    print("| messages of | | a second | accepted a second | CPU ms each | MiB (largest) |", end="")
    print(" generator, sink: CPU ms |\n|---|---|---:|---:|---:|---:|---:|", flush=True)
    for octets in given.octets:
        load = Load(messages=given.messages, octets=octets, sessions=given.sessions)
        _measure(names, load, given.rounds)


def _measure(names: Sequence[str], load: Load, rounds: int) -> None:
    figures: dict[str, list[Figures]] = {}
    memory: dict[str, Memory] = {}
    with tempfile.TemporaryDirectory(prefix="smarthost-benchmark-") as folder, ExitStack() as held:
        # Postfix's own user has to come through.
        Path(folder).chmod(0o755)
        sink = held.enter_context(running_sink())
        products = []
        for name in names:
            (Path(folder) / name).mkdir()
            start = _PRODUCTS[name](Path(folder) / name, sink.port)
            products.append(held.enter_context(start))
        serial = 0
        for product in products:
            warm = msgspec.structs.replace(load, messages=_WARM * load.sessions)
            _once(product, sink, warm, serial)
            serial += warm.messages
        for number in range(1, rounds + 1):
            # Each goes first as often as the other.
            for product in products if number % 2 else reversed(products):
                tell(f"{load.octets:,} octets, round {number} of {rounds}: {product.name} …")
                found = _once(product, sink, load, serial)
                figures.setdefault(product.name, []).append(found)
                tell(f"  {found.per_second:,.0f}/s, {found.cpu:.2f} ms CPU each")
                serial += load.messages
        for product in products:
            memory[product.name] = most_memory(product.pid)
    _report(load.octets, figures, memory)


def _once(product: Product, sink: "RunningSink", load: Load, first: int) -> Figures:
    """Send everything through, see that it came, and count what it cost.

    What a product does behind the last message counts as its CPU, but not as its time. So does
    what its sessions cost that are opened before the first message.
    """
    sink.expect(load.messages)
    before = cpu_seconds(product.pid)
    submitted = _submit(product, load, first)
    sink.wait()
    _settle(product)
    cpu = cpu_seconds(product.pid) - before
    arrived = sink.report()
    compare(arrived, load, first)
    return Figures(
        per_second=load.messages / (arrived.last - submitted.first_mail),
        accepted=load.messages / (submitted.last_reply - submitted.first_mail),
        cpu=cpu / load.messages * 1000,
        generator=submitted.cpu / load.messages * 1000,
        sink=arrived.cpu / load.messages * 1000,
        connections=arrived.connections,
    )


def _submit(product: Product, load: Load, first: int) -> Submitted:
    order = Order(
        port=product.port,
        user_name=product.user_name,
        passwords=[product.password],
        sessions=load.sessions,
        messages=load.messages,
        octets=load.octets,
        first=first,
    )
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.relay_generator"],
        input=msgspec.json.encode(order),
        stdout=subprocess.PIPE,
        timeout=2 * SECONDS,
        check=True,
    )
    return msgspec.json.decode(done.stdout, type=Submitted)


def _settle(product: Product) -> None:
    """Wait until the product has written down that everything is sent."""
    until = time.monotonic() + _SETTLE_SECONDS
    while waiting := product.waiting():
        if time.monotonic() > until:
            sys.exit(f"{product.name} says that {waiting} messages are not sent.")
        time.sleep(0.05)


def compare(arrived: Arrived, load: Load, first: int) -> None:
    """End the program unless exactly what `load` sent has come, each message once."""
    serials = range(first, first + load.messages)
    sent = Counter(digest(recipient(serial), message(serial, load.octets)) for serial in serials)
    came = Counter(arrived.digests)
    if sent != came:
        sys.exit(f"{(sent - came).total()} messages lost, {(came - sent).total()} too many.")


class RunningSink:
    """The sink's process, as it is spoken with."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.port = int(self._answer())

    def expect(self, count: int) -> None:
        """Forget what came, and count anew."""
        self._say(f"expect {count}")

    def wait(self) -> None:
        """Wait until as many messages as expected have come."""
        self._answer()

    def report(self) -> Arrived:
        """Return what came."""
        self._say("report")
        return msgspec.json.decode(self._answer(), type=Arrived)

    def _say(self, words: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(words + "\n")
        self._process.stdin.flush()

    def _answer(self) -> str:
        pipe = self._process.stdout
        assert pipe is not None
        if not select.select([pipe], [], [], SECONDS)[0]:
            sys.exit("The sink waits in vain: messages were lost.")
        return pipe.readline()


@contextmanager
def running_sink(*addresses: str) -> Iterator[RunningSink]:
    """Start the sink; it listens on these addresses, too."""
    command = [sys.executable, "-m", "benchmarks.relay_sink", *addresses]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            yield RunningSink(process)
        finally:
            process.terminate()


def _report(octets: int, figures: dict[str, list[Figures]], memory: dict[str, Memory]) -> None:
    for name, found in figures.items():
        rate = statistics.median(one.per_second for one in found)
        accepted = statistics.median(one.accepted for one in found)
        cpu = statistics.median(one.cpu for one in found)
        generator = statistics.median(one.generator for one in found)
        sink = statistics.median(one.sink for one in found)
        together, largest, processes = memory[name]
        print(
            f"| {octets / 1024:g} KiB | {name} | {rate:,.0f} | {accepted:,.0f} | {cpu:.2f} | "
            f"{together:.0f} in {processes} ({largest:.0f}) | {generator:.2f}, {sink:.2f} |"
        )
    theirs = figures.pop("Postfix", [])
    for name, ours in figures.items() if theirs else ():
        pairs = list(zip(ours, theirs, strict=True))
        rates = _spread([our.per_second / their.per_second for our, their in pairs])
        accepts = _spread([our.accepted / their.accepted for our, their in pairs])
        cpus = _spread([our.cpu / their.cpu for our, their in pairs])
        print(f"| | {name} of Postfix | {rates} | {accepts} | {cpus} | | |", flush=True)


def _spread(ratios: list[float]) -> str:
    return f"**{statistics.median(ratios):.2f}** ({min(ratios):.2f} to {max(ratios):.2f})"


if __name__ == "__main__":
    main()
