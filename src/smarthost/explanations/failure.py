"""The facts of a failure, and what is made of them.

`Facts` is what was recorded when it happened; `Failure` is the shape that every surface shows.
Words are made when they are read, so a better sentence also reaches failures of last week.
"""

from enum import StrEnum

import msgspec

from smarthost.delivery.outcome import Code, Step
from smarthost.explanations.words import Words

_OF_SIGN_IN = frozenset({Code.OAUTH2_REFUSED, Code.OAUTH2_CONSENT_NEEDED, Code.OAUTH2_UNAVAILABLE})
"""Of these `reply` is what the sign-in service said."""


class Who(StrEnum):
    """Who can mend it."""

    ADMINISTRATOR = "administrator"
    """Of the portal."""
    OPERATOR = "operator"
    """Of this installation of Smarthost."""
    PROVIDER = "provider"
    """Whoever runs the relay."""
    RECIPIENT = "recipient"


class RelayShown(msgspec.Struct, frozen=True, kw_only=True):
    """What may be said about the relay to whoever reads the explanation."""

    host: str
    port: int
    enable_ssl: bool
    enable_auth: bool
    use_ntlm: bool = False
    oauth2: bool = False
    """A token is shown in place of a password."""


class Recommended(msgspec.Struct, frozen=True, kw_only=True):
    """What the provider of a relay recommends; TLS always belongs to it."""

    provider: str
    """Its name."""
    port: int


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a failure or a warning."""

    step: Step
    code: Code
    permanent: bool = False
    reply: str | None = None
    """The relay's, cleaned."""
    relay: RelayShown | None = None
    """None where the relay is the operator's own and its details are hidden, or there is none."""
    in_doubt: bool = False
    """The relay may have the message all the same: its end went out, and no reply followed."""
    tls: str | None = None
    """The version of TLS that stood; None: the connection was clear."""
    recommended: Recommended | None = None
    """There where other settings than the provider's are warned of."""


class Failure(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A failure in plain words; the only field with text of the relay's own is `reply`."""

    step: Step
    code: Code
    title: str
    why: str
    fix: str
    who: Who
    fields: tuple[str, ...]
    """Names of the body that saves settings: what to look at there."""
    link: str | None = None
    """A page that says more, https."""
    reply: str | None = None
    permanent: bool

    @property
    def text(self) -> str:
        """The same as one plain text: title, why, fix, and the reply."""
        parts = [f"{self.title}.", self.why, self.fix]
        if self.reply:
            sentences = Words.load().sentences
            said = sentences.sign_in_reply if self.code in _OF_SIGN_IN else sentences.reply
            parts.append(said.format(reply=self.reply))
        return " ".join(part for part in parts if part)
