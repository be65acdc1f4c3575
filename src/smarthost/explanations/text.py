"""What a text is: one way to word a code, with places for what differs.

A `fix` names the settings in brackets as the API does, so that a person in a form and a program
find the same field. Title and `why` never speak of single settings or the port: they are also
shown where the relay is hidden. `{server}` is the relay, `{Server}` the same at the start of a
sentence, `{port}` its port, `{during}` where the session was. In texts for facts with
`recommended`, `{provider}` is the provider's name and `{recommended}` its port.
"""

from collections.abc import Callable, Mapping

import msgspec

from smarthost.delivery.outcome import Step
from smarthost.explanations.failure import Facts, Who


def _always(_facts: Facts) -> bool:
    return True


class Text(msgspec.Struct, frozen=True, kw_only=True):
    """One way to word a code."""

    title: str
    why: str
    fix: str
    who: Who
    fields: tuple[str, ...] = ()
    for_everybody: bool = False
    """True where `fix` is also right for those who do not see the relay's settings."""
    fits: Callable[[Facts], bool] = _always


def at(step: Step) -> Callable[[Facts], bool]:
    """Say that a text is for failures in this step."""
    return lambda facts: facts.step is step


DURING: Mapping[Step, str] = {
    Step.RESOLVE: "while its address was looked up",
    Step.CONNECT: "while the connection was made",
    Step.GREETING: "before its greeting",
    Step.EHLO: "after the greeting",
    Step.TLS: "while TLS was set up",
    Step.AUTHENTICATE: "during the login",
    Step.SENDER: "when it was told the sender",
    Step.RECIPIENT: "when it was told the recipient",
    Step.DATA: "while it was given the message",
}
"""Where a session was, by its step."""

LATER = (
    "Try again later. If it happens again and again, ask whoever runs the mail server what is"
    " the matter."
)
"""The advice where only time or the provider helps."""
