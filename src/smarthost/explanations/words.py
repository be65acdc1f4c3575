"""All words of explanations, in a folder a language in `words/`; the rules know only their ids.

A `fix` names the settings in brackets as the API does, so that a person in a form and a program
find the same field. Title and `why` never speak of single settings or the port: they are also
shown where the relay is hidden. `{server}` is the relay, `{Server}` the same at the start of a
sentence, `{port}` its port, `{during}` where the session was, `{provider}` whose relay it is, and
`{recommended}` the port that this one recommends.
"""

from functools import cache
from importlib import resources
from typing import Self

import msgspec

from smarthost.delivery.outcome import Step

_LANGUAGE = "en"


class Text(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is wrong, why, and what to do about it."""

    title: str
    """Without a full stop."""
    why: str
    fix: str


class Sentences(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is said beside the texts."""

    hidden_relay: str
    """Stands for a relay whose details are the operator's; in the middle of a sentence."""
    ask_the_operator: str
    in_doubt: str
    provider_first: str
    """`{first}` is what an administrator must do before the provider's relay takes mail."""
    reply: str
    sign_in_reply: str
    """The same of the service that gives out tokens."""
    back_to_settings: str
    """The link of the page that somebody reads who comes back from a provider's."""


class Words(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The words of one language."""

    during: dict[Step, str]
    """Where a session was, by its step."""
    sentences: Sentences
    codes: dict[str, Text]
    """By the id of a rule."""
    patterns: dict[str, Text]
    """By the id of a pattern."""
    consent: dict[str, Text]
    """What somebody reads who comes back from a provider's page, by how that ended."""

    @classmethod
    @cache
    def load(cls) -> Self:
        """Give the words that people read; they are read the first time, and once."""
        return cls.of(_LANGUAGE)

    @classmethod
    def of(cls, language: str) -> Self:
        """Read the words of a language. Raises `FileNotFoundError` for one that there is not."""
        folder = resources.files("smarthost.explanations") / "words" / language
        return msgspec.json.decode((folder / "failures.json").read_bytes(), type=cls)


def hidden_relay() -> str:
    """Return the words for a relay whose details are the operator's."""
    return Words.load().sentences.hidden_relay
