"""A quick round of every target: so many inputs from a new seed, which is printed.

`make soak` goes on for half an hour.
"""

import re
import shlex
import sys

import pytest

from tests.fuzz.rounds import ROOT, ended, new_seed, round_of
from tests.fuzz.run import AVAILABLE, LEFT_OUT
from tests.fuzz.targets import TARGETS

needs_fuzzer = pytest.mark.skipif(not AVAILABLE, reason=LEFT_OUT)
AT_MOST_SECONDS = 60.0

BROKEN = """
from tests.fuzz.run import fuzz
from tests.fuzz.target import Target

def check(data):
    assert not data.startswith(b"=")

fuzz("broken", Target(check=check, seeds=[b"a"], words=[b"="]), seed=1, limit="-runs=10000")
"""


@pytest.mark.parametrize(
    ("name", "octets"), [(name, seed) for name in TARGETS for seed in TARGETS[name].seeds]
)
def test_what_the_fuzzer_starts_from_keeps_every_promise(name: str, octets: bytes) -> None:
    TARGETS[name].check(octets)
    for end in range(len(octets)):
        TARGETS[name].check(octets[:end])


@needs_fuzzer
@pytest.mark.parametrize("name", TARGETS)
def test_a_quick_round_finds_nothing(name: str) -> None:
    seed = new_seed()
    print(f"{name}: seed {seed}")
    runs = TARGETS[name].runs

    result = round_of(name, "--runs", str(runs), "--seed", str(seed), at_most=AT_MOST_SECONDS)

    assert result.returncode == 0, result.stdout[-6_000:]
    assert f"Done {runs} runs" in result.stdout


@needs_fuzzer
def test_a_finding_is_told_with_its_input_and_how_to_see_it_again() -> None:
    result = ended([sys.executable, "-c", BROKEN], at_most=AT_MOST_SECONDS)

    assert result.returncode != 0
    assert "broken: seed 1" in result.stdout
    told = re.search(r"broken fails on b'=.*\nAgain: (.*)", result.stdout)
    assert told
    program, *words = shlex.split(told[1])
    assert (program, words[:2]) == (".venv/bin/python", ["-m", "tests.fuzz.run"])
    assert words[2:4] == ["broken", "--replay"]


def test_an_input_is_tried_again_without_the_fuzzer() -> None:
    fine = round_of("headers", "--replay", "AABBOiBiDQo=", at_most=AT_MOST_SECONDS)
    assert fine.stdout == "headers: nothing wrong with b'\\x00\\x00A: b\\r\\n'\n"


@needs_fuzzer
def test_the_soak_gives_each_target_its_time_and_names_the_seed() -> None:
    command = [sys.executable, "-m", "tests.fuzz.soak", "--seconds", "1", "dot-stuffing"]

    result = ended(command, at_most=AT_MOST_SECONDS)

    assert result.returncode == 0, result.stdout
    assert re.match(r"dot-stuffing: 1 s, seed \d+\nDone \d+ runs in \d+ second", result.stdout)


def test_the_makefile_has_the_soak() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "-m tests.fuzz.soak" in makefile
