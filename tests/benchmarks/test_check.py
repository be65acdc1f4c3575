"""The benchmark of the check runs, with counts too small to say anything about speed."""

import re
import subprocess
import sys

from benchmarks.check import examples, facts_of
from smarthost.delivery.outcome import Code


def test_examples_are_read_as_a_relay_would_say_them() -> None:
    refused, *_ = facts_of(["535-5.7.8 Username and Password not accepted", "no reply at all"])
    assert refused.code is Code.LOGIN_REFUSED
    assert refused.reply == "535 5.7.8 Username and Password not accepted"
    assert facts_of(examples())


def test_it_measures_both_ways_and_the_words() -> None:
    line = [sys.executable, "-m", "benchmarks.check", "--rounds", "2"]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    figure = r"\| -?\d+\.\d "
    assert re.search(rf"^\| no TLS, no login ({figure}){{4}}\|$", done.stdout, re.MULTILINE)
    assert re.search(rf"^\| STARTTLS and AUTH PLAIN ({figure}){{4}}\|$", done.stdout, re.MULTILINE)
    assert re.search(r"^explaining a reply: \d+\.\d µs each", done.stdout, re.MULTILINE)
