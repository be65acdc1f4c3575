"""What is known of replies: a pattern says more than a code alone about why a relay refused.

Patterns choose words and nothing else; code, step and permanence stay what `delivery.classify` has
said. They are data, in `patterns.json`, the most particular first, and the first that fits is
taken. Phrases stand in place of regular expressions: no reply, whoever wrote it, can make the
search for them long.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Self

import msgspec

from smarthost.delivery.outcome import Code, Step
from smarthost.explanations.failure import Facts
from smarthost.explanations.rule import Choice


class Example(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A failure that a pattern explains."""

    step: Step
    reply: str | None = None
    """As it comes over the wire, without its end; None: there was none."""
    host: str = "mail.example.org"
    port: int = 587
    login: bool = True
    """Whether the settings ask for one."""


class Pattern(Choice, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to recognise, and what goes with the words for it.

    Every condition that is not empty has to hold, by one of its alternatives.
    """

    codes: tuple[Code, ...]
    steps: frozenset[Step] = frozenset()
    reply_codes: frozenset[int] = frozenset()
    enhanced: frozenset[str] = frozenset()
    """Status codes of RFC 3463; the class or the detail can be `*`: `5.7.8`, `*.7.8`, `5.7.*`."""
    says: tuple[str, ...] = ()
    """Phrases in lower case, of which one is in the reply; `*` is anything in between. The reply
    begins and ends with a blank there, so that a phrase can be held to whole words."""
    providers: frozenset[str] = frozenset()
    """Ids of `providers.json`, by the relay's host."""
    ports: frozenset[int] = frozenset()
    link: str | None = None
    """A page for people, https."""
    example: Example
    source: str
    """Where to check this."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A reply as patterns look at it; made once for all of them."""

    code: int | None
    enhanced: frozenset[str]
    """Every way to write its status code in a pattern."""
    words: str

    @classmethod
    def of(cls, reply: str | None) -> Self:
        """Read a cleaned reply, such as `535 5.7.8 Wrong password`."""
        if not reply:
            return cls(None, frozenset(), "")
        first, _, rest = reply.partition(" ")
        code = int(first) if len(first) == 3 and first.isascii() and first.isdigit() else None
        return cls(code, _forms(rest.partition(" ")[0]), f" {reply.lower()} ")


@dataclass(frozen=True, slots=True)
class _Row:
    """A pattern, made ready to be looked for."""

    pattern: Pattern
    phrases: tuple[tuple[str, ...], ...]

    @classmethod
    def of(cls, pattern: Pattern) -> Self:
        return cls(pattern, tuple(tuple(phrase.split("*")) for phrase in pattern.says))

    def fits(self, facts: Facts, reading: Reading, provider: str | None) -> bool:
        one = self.pattern
        relay = facts.relay
        return (
            (not one.reply_codes or reading.code in one.reply_codes)
            and (not one.steps or facts.step in one.steps)
            and (not one.providers or provider in one.providers)
            and (not one.ports or (relay is not None and relay.port in one.ports))
            and (not one.enhanced or not one.enhanced.isdisjoint(reading.enhanced))
            and (not self.phrases or any(_is_in(reading.words, said) for said in self.phrases))
        )


class Patterns:
    """The patterns, in their order, by the codes that they refine."""

    def __init__(self, patterns: Iterable[Pattern]) -> None:
        self.all = tuple(patterns)
        rows: defaultdict[Code, list[_Row]] = defaultdict(list)
        for row in map(_Row.of, self.all):
            for code in row.pattern.codes:
                rows[code].append(row)
        self._rows = dict(rows)

    @classmethod
    @cache
    def load(cls) -> Self:
        """Give the patterns that come with the program; they are read the first time, and once."""
        file = resources.files("smarthost.explanations") / "patterns.json"
        return cls(msgspec.json.decode(file.read_bytes(), type=tuple[Pattern, ...]))

    def of(self, facts: Facts, provider: str | None) -> Pattern | None:
        """Return the first pattern that fits, None if there is none.

        `provider` is the id of the relay's, if it is known. Where the relay is hidden, a pattern
        that is not for everybody would tell of it, and counts for nothing.
        """
        rows = self._rows.get(facts.code)
        if rows is None:
            return None
        reading = Reading.of(facts.reply)
        found = next((one.pattern for one in rows if one.fits(facts, reading, provider)), None)
        if found is None or (facts.relay is None and not found.for_everybody):
            return None
        return found


def _forms(word: str) -> frozenset[str]:
    parts = word.split(".")
    if len(parts) != 3 or not word.isascii() or not "".join(parts).isdigit():
        return frozenset()
    of, subject, detail = parts
    return frozenset((word, f"*.{subject}.{detail}", f"{of}.{subject}.*", f"*.{subject}.*"))


def _is_in(words: str, parts: tuple[str, ...]) -> bool:
    """Tell whether the parts are in the text, one behind the other."""
    start = 0
    for part in parts:
        start = words.find(part, start)
        if start < 0:
            return False
        start += len(part)
    return True
