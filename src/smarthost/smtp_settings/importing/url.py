"""A relay's URL, as Smarthost, Symfony, Laravel, Django's libraries and Nodemailer write it.

They agree about the syntax and differ in what `smtps` means: TLS from the first octet, but for
Django's STARTTLS. A mistake in the punctuation can make an option of a piece of the password, so
options that are not known are not named.
"""

from types import MappingProxyType

from smarthost.mail.smtp_url import ENCODE, decoded, scheme_of, split_smtp_url
from smarthost.smtp_settings.importing.dialects import KIND_OF_TLS, OFF
from smarthost.smtp_settings.importing.gathering import Gathering
from smarthost.smtp_settings.importing.model import (
    Encryption,
    Field,
    Left,
    Meanings,
    Switch,
    Unverified,
    Words,
)

_SCHEMES = {
    "smtp": (Encryption.IF_OFFERED, 25),
    "smtps": (Encryption.IMPLICIT, 465),
    "smtp+ssl": (Encryption.IMPLICIT, 465),
    "smtp+tls": (Encryption.STARTTLS, 587),
    "submission": (Encryption.STARTTLS, 587),
}
"""What each scheme wants of TLS, and its port."""

URL_OPTIONS: Meanings = MappingProxyType(
    {
        # Smarthost's own, as in docs/settings.md
        "sender": Field.SENDER,
        "starttls": Words(MappingProxyType({"required": Encryption.STARTTLS})),
        "ca": Left.AUTHORITY,
        # Symfony, and Laravel, whose `encryption` is that of its variable
        "auto_tls": Switch(Encryption.IF_OFFERED, Encryption.NONE),
        "require_tls": Switch(Encryption.STARTTLS),
        "encryption": KIND_OF_TLS,
        "auth_mode": Field.MECHANISM,
        "verify_peer": Unverified(OFF),
        "peer_fingerprint": Left.AUTHORITY,
        "local_domain": Left.EHLO,
        "restart_threshold": Left.POOL,
        "restart_threshold_sleep": Left.POOL,
        "ping_threshold": Left.POOL,
        "max_per_second": Left.POOL,
        # Nodemailer
        "from": Field.SENDER,
        "secure": Switch(Encryption.IMPLICIT),
        "requiretls": Switch(Encryption.STARTTLS),
        "ignoretls": Switch(Encryption.NONE),
        "authmethod": Field.MECHANISM,
        "tls.rejectunauthorized": Unverified(OFF),
        "pool": Left.POOL,
        "maxconnections": Left.POOL,
        "maxmessages": Left.POOL,
        "ratedelta": Left.POOL,
        "ratelimit": Left.POOL,
        "connectiontimeout": Left.TIMES,
        "greetingtimeout": Left.TIMES,
        "sockettimeout": Left.TIMES,
        "dnstimeout": Left.TIMES,
        # dj-email-url
        "ssl": Switch(Encryption.IMPLICIT),
        "tls": Switch(Encryption.STARTTLS),
        "timeout": Left.TIMES,
    }
)
"""What stands behind a URL's question mark, by its name in lower case.

`name` is not in it: it is the sender's name for Smarthost and the name for EHLO for Nodemailer.
"""

# Symfony takes the server of a provider that it knows, or the machine's own, for this name.
_NO_HOST = "default"


def gather_url(
    gathering: Gathering, text: str, place: str, smtps: Encryption = Encryption.IMPLICIT
) -> None:
    """Take in what a URL says; `place` names it, and `smtps` is what that scheme means there."""
    scheme = scheme_of(text)
    if scheme not in _SCHEMES:
        gathering.faults.append(
            f"{place}: the URL starts with smtp:// or smtps://. Others name no mail server."
        )
        return
    faults: list[str] = []
    url = split_smtp_url(text, faults)
    encryption, port = _SCHEMES[scheme]
    if scheme == "smtps" and smtps is not encryption:
        encryption, port = smtps, 587
    gathering.encrypted(encryption, place)
    gathering.default_port(port)
    if url.host.lower() == _NO_HOST:
        faults.append("it names no mail server, only the word default.")
    gathering.take(Field.HOST, url.host, place)
    if url.port is not None:
        gathering.take(Field.PORT, url.port, place)
    if url.user_name is not None:
        gathering.take(Field.USER_NAME, url.user_name, place)
    if url.password is not None:
        gathering.take(Field.PASSWORD, url.password.reveal(), place)
    _options(gathering, url.options, place, faults)
    gathering.faults.extend(f"{place}: {fault}" for fault in faults)


def _options(
    gathering: Gathering, options: tuple[tuple[str, str], ...], place: str, faults: list[str]
) -> None:
    named = {name.lower() for name, _ in options}
    for name, text in options:
        meaning = URL_OPTIONS.get(name.lower())
        if name.lower() == "name":
            meaning = Field.SENDER_NAME if "sender" in named else Left.EHLO
        if meaning is None:
            # A password with a ? in it has the rest of the authority behind that.
            if "@" in name or "@" in text:
                faults.append(f"an option behind the ? looks like a login. {ENCODE}")
            gathering.notes.append(f"{place}: an option that is not known was left out.")
            continue
        value = decoded(text, f"the option {name}", faults)
        gathering.take(meaning, value, f"{place}, {name}")
