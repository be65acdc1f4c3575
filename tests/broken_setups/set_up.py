"""What a broken set-up is: what somebody got wrong, how the test builds it, and what is told."""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

import trustme

from smarthost.delivery.outcome import Code, Step
from smarthost.smtp_settings.binding.model import BindingInput
from tests.journeys.postfix import Postfix
from tests.oauth2_provider import Provider

HOST = "mail.example.com"
TO = "anna@example.org"


class Place(NamedTuple):
    """Where a server listens; no host: the one that the set-up names."""

    port: int
    host: str | None = None


@dataclass(frozen=True, kw_only=True)
class World:
    """What servers are made of."""

    authority: trustme.CA
    """The machine trusts it."""
    host: str
    """What the server is called."""
    postfix: Callable[[], Postfix]
    """Starts it if that was not done before."""


class Server(NamedTuple):
    """A server that a set-up leads to."""

    built: str
    """How the test builds it, as the documentation has it."""
    running: Callable[[World], AbstractAsyncContextManager[Place]]
    programs: tuple[str, ...] = ()
    """That it needs."""


SIGN_IN_HOST = "login.example.com"


class SignIn(NamedTuple):
    """OAuth2 in place of a password, at a provider of our own."""

    built: str
    typed: Callable[[Provider], BindingInput]
    provider: Callable[[], Provider] = Provider


class Found(StrEnum):
    """What the three ways have in common."""

    BY_ALL = "check, test message, mail"
    AT_DATA = "test message, mail"
    """The check ends before DATA, and is good as far as it goes."""
    WARNED = "check: works, with a warning"


@dataclass(frozen=True, kw_only=True)
class BrokenSetUp:
    """One of them. Unless `settings` say otherwise, TLS and a login are asked for."""

    name: str
    """As an administrator would say it, who knows by now."""
    server: Server
    step: Step
    code: Code
    fields: tuple[str, ...]
    says: tuple[str, ...]
    """Words that the explanation has to have, in any case of letters."""
    permanent: bool = False
    found: Found = Found.BY_ALL
    host: str = HOST
    to: str = TO
    settings: Mapping[str, object] = field(default_factory=dict)
    """Of `SettingsInput`."""
    environ: Mapping[str, str] = field(default_factory=dict)
    """What the operator has set, without `SMARTHOST_`."""
    sign_in: SignIn | None = None
    """It is set up once the settings are saved."""
    slow: bool = False
    """Whether only a deadline ends it."""
    apart: tuple[tuple[str, ...], ...] | None = None
    """In a network of its own, after these changes by ip(8); None: in the machine's."""
