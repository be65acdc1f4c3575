"""What the benchmark of nodes rests on: cases take turns, copied mail is as mail taken in, and a
long way loses nothing."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.installation import Installation, make_portal, queue_many
from benchmarks.nodes_cases import median_ratio, turns
from benchmarks.process_tree import most_memory, proportional_memory
from benchmarks.serving import telling_port
from smarthost.mail_queue.model import Kind

ONE_WAY_SECONDS = 0.02
PATIENCE = 20.0

_RECORDS = """
SELECT m.accepted_by, m.sender, m.size, m.details, length(b.content), r.address, r.kind, r.state,
       r.attempts_count, r.due_at - m.accepted_at, count(*)
FROM messages m
JOIN message_bodies b ON b.portal_id = m.portal_id AND b.message_id = m.id
JOIN recipients r ON r.portal_id = m.portal_id AND r.message_id = m.id
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10"""


def test_each_case_is_first_as_often_as_last() -> None:
    assert list(turns("abc", 2, "Turns")) == list("abccba")


def test_ratios_are_those_of_one_round() -> None:
    assert median_ratio([10, 40, 90], [10, 20, 30]) == 2


def test_what_processes_share_counts_once() -> None:
    held = [
        sys.executable,
        "-c",
        "block = bytearray(b'x') * (20 << 20); print(flush=True); input()",
    ]
    with subprocess.Popen(held, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        assert 20 < proportional_memory(process.pid) <= most_memory(process.pid).together
        process.stdin.close()


async def test_copied_messages_are_as_the_door_writes_them(tmp_path: Path) -> None:
    async with Installation(folder=tmp_path / "data").open() as parts:
        portal = (await make_portal(parts, "only", "127.0.0.1", 1)).portal
        await queue_many(parts, portal.id, 2_010)
        alike = await parts.database.fetch(_RECORDS)
        assert [row[-1] for row in alike] == [2_010]
        claims = await parts.delivery.queue.claim(portal.id, Kind.MAIL, set(), at_most=20)
        assert len(claims) == 20


def test_all_octets_arrive_so_much_later_and_the_end_behind_them(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server, far_away(server, tmp_path / "server") as near:
        began = time.monotonic()
        near.sendall(b"question")
        there, _ = server.accept()
        with there:
            assert there.recv(100) == b"question"
            there.sendall(b"answer")
            there.shutdown(socket.SHUT_WR)
            assert near.recv(100) == b"answer"
            assert time.monotonic() - began >= 2 * ONE_WAY_SECONDS
            assert near.recv(100) == b""


@contextmanager
def far_away(server: socket.socket, path: Path) -> Iterator[socket.socket]:
    """Listen there, and connect by way of the distance."""
    server.bind(str(path))
    server.listen()
    server.settimeout(PATIENCE)
    with (
        telling_port("distance", str(path), str(ONE_WAY_SECONDS * 1000)) as port,
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as near,
    ):
        yield near
