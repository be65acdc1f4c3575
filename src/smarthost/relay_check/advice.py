"""What a check warns of by looking at the settings alone, without a connection.

These settings may work. They are those that people come back with later: mail that is refused or
taken for forged because of its sender, and ports or logins that a provider no longer keeps up.
"""

import msgspec

from smarthost.delivery.outcome import Code, Step
from smarthost.explanations.failure import Recommended
from smarthost.mail.domain import DomainError, to_a_labels
from smarthost.providers import Kind, Login, Provider
from smarthost.smtp_settings.model import SmtpSettings


class Advice(msgspec.Struct, frozen=True, kw_only=True):
    """One warning, at the step where it would show."""

    step: Step
    code: Code
    recommended: Recommended | None = None
    """There with `PROVIDER_RECOMMENDS_OTHER`."""


def advice(settings: SmtpSettings, provider: Provider | None) -> tuple[Advice, ...]:
    """Return what there is to warn of; `provider` is the relay's, None if nobody knows it."""
    found = [_of_the_provider(settings, provider), _of_the_sender(settings, provider)]
    return tuple(one for one in found if one is not None)


def _of_the_provider(settings: SmtpSettings, provider: Provider | None) -> Advice | None:
    if provider is None:
        return None
    good_port = settings.port in provider.ports
    good_login = settings.enable_auth or not _asks_for_a_login(provider)
    # There is TLS at all ports of the table.
    if good_port and settings.enable_ssl and good_login:
        return None
    port = settings.port if good_port else provider.ports[0]
    return Advice(
        step=Step.CONNECT,
        code=Code.PROVIDER_RECOMMENDS_OTHER,
        recommended=Recommended(provider=provider.name, port=port),
    )


def _asks_for_a_login(provider: Provider) -> bool:
    """Whether everybody logs in there; relays of organisations know some by their address."""
    return provider.login is not Login.NONE and provider.kind is not Kind.RELAY


def _of_the_sender(settings: SmtpSettings, provider: Provider | None) -> Advice | None:
    if provider is not None and provider.kind is not Kind.MAILBOX:
        return None  # there the login is one of the account, and senders are proved otherwise
    login = _domain(settings.user_name or "")
    sender = _domain(settings.sender_address)
    if not login or not sender or _is_within(login, sender) or _is_within(sender, login):
        return None
    return Advice(step=Step.SENDER, code=Code.SENDER_OUTSIDE_LOGIN)


def _domain(text: str) -> str:
    """Return the domain of what may be an address, in A-labels; nothing where there is none."""
    _, at, domain = text.rpartition("@")
    if not at:
        return ""
    try:
        return to_a_labels(domain)
    except DomainError:
        return ""


def _is_within(name: str, other: str) -> bool:
    return name == other or name.endswith(f".{other}")
