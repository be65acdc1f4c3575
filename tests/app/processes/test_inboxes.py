import contextlib
from collections.abc import Iterator
from socket import socket

import pytest

from smarthost.app.processes.inboxes import Inboxes


@pytest.fixture
def inboxes() -> Iterator[Inboxes]:
    with contextlib.closing(Inboxes(3)) as inboxes:
        yield inboxes


def test_a_word_wakes_the_one_that_it_is_for(inboxes: Inboxes) -> None:
    woken: list[int] = []
    inboxes.wake(2)
    for number in (1, 2, 3):
        inboxes.read(number, lambda: woken.append(number), lambda _line: None)  # noqa: B023
    assert woken == [2]


def test_an_inbox_that_nobody_reads_takes_no_more_and_holds_nobody_up(inboxes: Inboxes) -> None:
    for _ in range(10_000):
        inboxes.wake(1)
    with pytest.raises(BlockingIOError):
        inboxes.ask(1)


def test_a_question_is_answered_on_a_line_of_its_own(inboxes: Inboxes) -> None:
    lines: list[socket] = []
    with inboxes.ask(3) as question, inboxes.ask(3) as other:
        inboxes.read(3, lambda: None, lines.append)
        for number, line in enumerate(lines):
            with line:
                line.sendall(b"answer %d" % number)
        assert [question.recv(100), other.recv(100)] == [b"answer 0", b"answer 1"]
        assert question.recv(100) == b""
