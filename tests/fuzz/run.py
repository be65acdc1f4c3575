"""`python -m tests.fuzz.run TARGET`: one target under the fuzzer, or one input once again.

A finding is told with its input and the line to type to see it again, which needs no fuzzer.
"""

import argparse
import base64
import importlib.util
import resource
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.fuzz.target import Target  # at run time only where the fuzzer follows it

PROGRAM = ".venv/bin/python -m tests.fuzz.run"
AVAILABLE = importlib.util.find_spec("atheris") is not None
LEFT_OUT = "needs atheris, which has no wheel for this Python or this kind of machine"
SLOW_SECONDS = 10
"""One input that takes longer is a finding."""
MOST_MEGABYTES = 1_024
# Our own code, and the libraries that read what others send.
FOLLOWED = [
    "smarthost.smtp",
    "smarthost.mail",
    "smarthost.submission.session",
    "smarthost.relay_check.suggestions.autoconfig_reader",
    "scramp",
    "spnego._ntlm",
    "spnego._ntlm_raw",
]


def _megabytes_before() -> int:
    """Return the most memory that this process has had, which counts for libFuzzer.

    It begins with that of whoever has started it: a fork has its memory, until it runs this.
    """
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1_024


def replay(name: str, data: bytes) -> None:
    """Try one input."""
    from tests.fuzz.targets import TARGETS

    TARGETS[name].check(data)
    print(f"{name}: nothing wrong with {data!r}")


def followed(name: str) -> "Target":
    """Import a target so that the fuzzer sees which way an input takes."""
    import atheris

    with atheris.instrument_imports(include=FOLLOWED, enable_loader_override=False):
        from tests.fuzz.targets import TARGETS
    return TARGETS[name]


def fuzz(name: str, target: "Target", *, seed: int, limit: str) -> None:
    """Give inputs to a target until the limit, which libFuzzer has as an option; never returns.

    What libFuzzer needs and leaves is in a folder of its own under TMPDIR.
    """
    import atheris

    def check(data: bytes) -> None:
        try:
            target.check(data)
        except BaseException:
            found = base64.b64encode(data).decode()
            print(f"\n{name} fails on {data!r}", file=sys.stderr)
            print(f"Again: {PROGRAM} {name} --replay '{found}'", file=sys.stderr, flush=True)
            raise

    folder = Path(tempfile.mkdtemp(prefix="smarthost-fuzz-"))
    print(f"{name}: seed {seed}, {limit}", flush=True)
    options = [
        limit,
        f"-seed={seed}",
        f"-max_len={target.longest}",
        "-len_control=0",
        f"-timeout={SLOW_SECONDS}",
        f"-rss_limit_mb={_megabytes_before() + MOST_MEGABYTES}",
        f"-artifact_prefix={folder}/",
        "-verbosity=1",
    ]
    atheris.Setup([PROGRAM, *options, *_written(folder, target)], check)
    atheris.Fuzz()


def _written(folder: Path, target: "Target") -> list[str]:
    """Write what a target starts from to where libFuzzer reads it."""
    corpus, words = folder / "corpus", folder / "words"
    corpus.mkdir()
    for number, octets in enumerate(target.seeds):
        (corpus / str(number)).write_bytes(octets)
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in target.words))
    return [f"-dict={words}", str(corpus)]


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{octet:02X}" for octet in word)


def main() -> None:
    parser = argparse.ArgumentParser(prog=PROGRAM)
    parser.add_argument("target")
    parser.add_argument("--seed", type=int, default=1)
    limit = parser.add_mutually_exclusive_group(required=True)
    limit.add_argument("--runs", type=int, help="so many inputs")
    limit.add_argument("--seconds", type=int, help="so long")
    limit.add_argument("--replay", metavar="BASE64", help="this input, without the fuzzer")
    asked = parser.parse_args()
    if asked.replay is not None:
        replay(asked.target, base64.b64decode(asked.replay, validate=True))
    elif not AVAILABLE:
        sys.exit(f"The fuzzer {LEFT_OUT}.")
    else:
        bound = f"-max_total_time={asked.seconds}" if asked.seconds else f"-runs={asked.runs}"
        fuzz(asked.target, followed(asked.target), seed=asked.seed, limit=bound)


if __name__ == "__main__":
    main()
