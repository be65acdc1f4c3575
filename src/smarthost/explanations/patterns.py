"""What is known of replies: a pattern says more than a code alone about why a relay refused.

Patterns choose words and nothing else; code, step and permanence stay what `delivery.classify` has
said. They are data, in `patterns.json`, the most particular first, and the first that fits is
taken. Phrases stand in place of regular expressions: no reply, whoever wrote it, can make the
search for them long.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Self

import msgspec

from smarthost.delivery.outcome import Code, Step
from smarthost.explanations.failure import Facts
from smarthost.explanations.rule import Choice

_GRAM = 4


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
    begins and ends with a blank there, so that a phrase can be held to whole words, and has no
    addresses. One part of each has four characters or more."""
    providers: frozenset[str] = frozenset()
    """Ids of `providers.json`, by the relay's host."""
    ports: frozenset[int] = frozenset()
    login: bool | None = None
    """Whether the settings ask for a login; None: as it may be."""
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
        return cls(code, _forms(rest.partition(" ")[0]), f" {_without_addresses(reply.lower())} ")


class _OfCode:
    """The patterns that refine one code, made ready to be looked for.

    Each phrase is kept under the sequence of four characters in it that fewest others have. Only
    phrases whose sequence is in the reply are looked at, and there are not many of those even in
    a reply that is made of phrases.
    """

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        self._patterns = patterns
        self._without_words = [place for place, one in enumerate(patterns) if not one.says]
        phrases = [(place, said) for place, one in enumerate(patterns) for said in one.says]
        often = Counter(gram for _, said in phrases for gram in _grams_of(said))
        self._by_gram: defaultdict[str, list[tuple[int, str, list[str]]]] = defaultdict(list)
        for place, said in phrases:
            rarest = min(_grams_of(said), key=lambda gram: (often[gram], gram))
            first, *others = said.split("*")
            self._by_gram[rarest].append((place, first, others))

    def first(self, facts: Facts, reading: Reading, provider: str | None) -> Pattern | None:
        """Return the first that fits."""
        places = {*self._without_words, *self._said(reading.words)}
        ordered = (self._patterns[place] for place in sorted(places))
        return next((one for one in ordered if _fits(one, facts, reading, provider)), None)

    def _said(self, words: str) -> set[int]:
        """Return the places of the patterns that have one of their phrases in the text."""
        places: set[int] = set()
        if not self._by_gram:
            return places
        for gram in self._by_gram.keys() & _grams(words):
            for place, first, others in self._by_gram[gram]:
                if place not in places and first in words and _follow(words, first, others):
                    places.add(place)
        return places


class Patterns:
    """The patterns, in their order, by the codes that they refine."""

    def __init__(self, patterns: Iterable[Pattern]) -> None:
        self.all = tuple(patterns)
        by_code: defaultdict[Code, list[Pattern]] = defaultdict(list)
        for pattern in self.all:
            for code in pattern.codes:
                by_code[code].append(pattern)
        self._by_code = dict(by_code)
        self._ready: dict[Code, _OfCode] = {}

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
        if facts.code not in self._by_code:
            return None
        found = self._of_code(facts.code).first(facts, Reading.of(facts.reply), provider)
        if found is None or (facts.relay is None and not found.for_everybody):
            return None
        return found

    def _of_code(self, code: Code) -> _OfCode:
        # Made when it is asked for: all together they take longer than a loop should stand still.
        if code not in self._ready:
            self._ready[code] = _OfCode(self._by_code[code])
        return self._ready[code]


_PASSWORD = "credentialsUserPassword"  # noqa: S105 - the name of a field


def _fits(one: Pattern, facts: Facts, reading: Reading, provider: str | None) -> bool:
    """Tell whether all holds but for the words, which have been looked for."""
    relay = facts.relay
    return (
        (not one.reply_codes or reading.code in one.reply_codes)
        and (not one.steps or facts.step in one.steps)
        and (not one.providers or provider in one.providers)
        and (not one.ports or (relay is not None and relay.port in one.ports))
        and (one.login is None or (relay is not None and relay.enable_auth is one.login))
        and (not one.enhanced or not one.enhanced.isdisjoint(reading.enhanced))
        # Advice about a password is none where a token is shown.
        and not (relay is not None and relay.oauth2 and _PASSWORD in one.fields)
    )


def _forms(word: str) -> frozenset[str]:
    parts = word.split(".")
    if len(parts) != 3 or not word.isascii() or not "".join(parts).isdigit():
        return frozenset()
    of, subject, detail = parts
    return frozenset((word, f"*.{subject}.{detail}", f"{of}.{subject}.*", f"*.{subject}.*"))


def _without_addresses(text: str) -> str:
    """Leave addresses out: they are made of whatever words somebody liked, such as `dmarc`."""
    if "@" not in text:
        return text
    return " ".join("@" if "@" in word and "/" not in word else word for word in text.split(" "))


def _grams(words: str) -> frozenset[str]:
    return frozenset([words[at : at + _GRAM] for at in range(len(words) - _GRAM + 1)])


def _grams_of(phrase: str) -> frozenset[str]:
    return frozenset().union(*map(_grams, phrase.split("*")))


def _follow(words: str, first: str, others: Sequence[str]) -> bool:
    """Tell whether the others come behind the first part, one behind the other."""
    end = words.find(first) + len(first)
    for part in others:
        start = words.find(part, end)
        if start < 0:
            return False
        end = start + len(part)
    return True
