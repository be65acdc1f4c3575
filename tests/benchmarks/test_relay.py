"""The benchmark of the whole way runs, with counts too small to say anything about speed."""

import os
import subprocess
import sys

import pytest

from benchmarks.relay import Load, compare
from benchmarks.relay_generator import message, recipient
from benchmarks.relay_sink import Arrived, digest

_LOAD = Load(messages=3, octets=2_048, sessions=1)


def _arrived(*serials: int) -> Arrived:
    digests = [digest(recipient(serial), message(serial, 2_048)) for serial in serials]
    return Arrived(first=0.0, last=0.0, cpu=0.0, connections=1, digests=digests)


def test_messages_have_the_size_asked_for() -> None:
    for octets in (2_048, 20_480):
        assert len(message(1, octets)) == len(message(100_000, octets)) == octets


def test_all_messages_in_any_order_are_what_was_sent() -> None:
    compare(_arrived(9, 7, 8), _LOAD, 7)


@pytest.mark.parametrize("serials", [(7, 8), (7, 8, 8), (7, 8, 9, 9), (7, 8, 10)])
def test_a_message_lost_doubled_or_changed_leaves_no_figures(serials: tuple[int, ...]) -> None:
    with pytest.raises(SystemExit, match="lost"):
        compare(_arrived(*serials), _LOAD, 7)


@pytest.mark.needs("postfix", "saslpasswd2")
def test_both_are_measured_and_compared() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may start Postfix")
    command = [sys.executable, "-m", "benchmarks.relay", "--rounds", "1", "--messages", "40"]
    done = subprocess.run(
        [*command, "--sessions", "4", "--octets", "2048", "--only", "smarthost", "postfix"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rows = [line.split(" | ")[:2] for line in done.stdout.splitlines()[2:]]
    assert rows == [
        ["| 2 KiB", "Smarthost"],
        ["| 2 KiB", "Postfix"],
        ["|", "Smarthost of Postfix"],
    ]
