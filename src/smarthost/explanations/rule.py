"""Which words are for which facts, and what goes with them; the words themselves are in `words/`.

What is chosen here is the same in every language: who can mend it, which settings to look at, and
whether those who do not see the relay may read the advice.
"""

from collections.abc import Callable

import msgspec

from smarthost.delivery.outcome import Step
from smarthost.explanations.failure import Facts, Who


def _always(_facts: Facts) -> bool:
    return True


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """What goes with a text."""

    id: str
    """Of the text in each language's file."""
    who: Who
    fields: tuple[str, ...] = ()
    """Names of the body that saves settings; `fix` has each of them in brackets."""
    for_everybody: bool = False
    """True where `fix` is also right for those who do not see the relay's settings."""


class Rule(Choice, frozen=True, kw_only=True):
    """One way to word a code."""

    fits: Callable[[Facts], bool] = _always


def at(step: Step) -> Callable[[Facts], bool]:
    """Say that a text is for failures in this step."""
    return lambda facts: facts.step is step


def login_is_on(facts: Facts) -> bool:
    """Tell whether the settings are to be seen and ask for a login."""
    return facts.relay is not None and facts.relay.enable_auth
