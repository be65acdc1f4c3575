"""The default relay, written as one URL.

`smtp[s]://user:password@host:port?sender=…&name=…&starttls=required&ca=…` (the syntax of RFC
3986). The URL holds a password, and a mistake in its punctuation can put a piece of the password
where the host should be; so no message here repeats any part of it.
"""

import re
import unicodedata
from pathlib import Path
from urllib.parse import unquote_to_bytes

from smarthost.config.faults import InvalidValueError
from smarthost.config.model import DefaultRelay
from smarthost.config.values import parse_port, split_host_port
from smarthost.mail.address import AddressError, parse_address
from smarthost.mail.host import HostError, parse_host
from smarthost.secret import Secret

_DEFAULT_PORTS = {"smtp": 25, "smtps": 465}
_IMPLICIT_TLS_PORTS = (465, 2465)  # RFC 8314, section 7.3, and the alternative many hosts open
_QUERY_KEYS = ("sender", "name", "starttls", "ca")
_LONGEST_TEXT = 255  # characters, as in the settings of a portal
_LONGEST_PASSWORD = 1_000  # octets, as in the settings of a portal
_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_ENCODE = "In user name and password, write : / ? # @ % as %3A %2F %3F %23 %40 %25."


def parse_default_relay(text: str) -> DefaultRelay:
    """Give the relay that the URL describes; a relative `ca` is still to be resolved.

    Raises `InvalidValueError` with every fault of the URL.
    """
    scheme, mark, rest = text.partition("://")
    scheme = scheme.lower()
    if not mark or scheme not in _DEFAULT_PORTS:
        raise InvalidValueError("the URL starts with smtp:// or with smtps://.")
    faults: list[str] = []
    if "#" in rest:
        faults.append(f"there is no fragment in this URL. {_ENCODE}")
    before_query, _, query = rest.partition("?")
    authority, _, path = before_query.partition("/")
    if path:
        faults.append(f"no path follows the host. {_ENCODE}")
    userinfo, _, host_and_port = authority.rpartition("@")
    user_name, password = _credentials(userinfo, faults)
    options = _options(query, faults)
    host, port = _destination(host_and_port, scheme, faults)
    relay = DefaultRelay(
        host=host,
        port=port,
        sender_address=_sender(options, faults),
        sender_display_name=_display_name(options, faults),
        user_name=user_name,
        password=password,
        enable_ssl=_enable_ssl(options, scheme, port, faults),
        enable_auth=password is not None,
        ca_file=_ca_file(options, faults),
    )
    if faults:
        raise InvalidValueError(*dict.fromkeys(faults))
    return relay


def _credentials(userinfo: str, faults: list[str]) -> tuple[str, Secret | None]:
    if not userinfo:
        return "", None
    user_part, _, password_part = userinfo.partition(":")
    user_name = _decoded(user_part, "the user name", faults)
    password = _decoded(password_part, "the password", faults)
    if not user_part or not password_part:
        faults.append(
            "user name and password belong together: write user:password@ before the host, or"
            " leave both away."
        )
    if len(user_name) > _LONGEST_TEXT:
        faults.append(f"the user name has more than {_LONGEST_TEXT} characters.")
    if len(password.encode()) > _LONGEST_PASSWORD:
        faults.append(f"the password has more than {_LONGEST_PASSWORD} octets.")
    return user_name, Secret(password)


def _destination(text: str, scheme: str, faults: list[str]) -> tuple[str, int]:
    host_part, port_part = split_host_port(text)
    host, port = "", _DEFAULT_PORTS[scheme]
    if ":" in host_part and not host_part.startswith("["):
        faults.append(f"an IPv6 address stands in brackets, as [2001:db8::1]:25. {_ENCODE}")
        return host, port
    try:
        host = parse_host(host_part)
    except HostError:
        faults.append(f"the host is no host name, such as mail.example.com. {_ENCODE}")
    if port_part is not None:
        try:
            port = parse_port(port_part, lowest=1)
        except InvalidValueError as error:
            faults.extend(f"{message} {_ENCODE}" for message in error.messages)
    return host, port


def _options(query: str, faults: list[str]) -> dict[str, str]:
    """Part the query; `+` stays `+` (RFC 3986 gives it no other meaning), so a+b@c is safe."""
    options: dict[str, str] = {}
    for part in query.split("&") if query else ():
        key, _, value = part.partition("=")
        if key not in _QUERY_KEYS:
            faults.append(f"behind the ? only {', '.join(_QUERY_KEYS)} are known. {_ENCODE}")
        elif key in options:
            faults.append(f"{key} is given twice.")
        else:
            options[key] = _decoded(value, key, faults)
    return options


def _enable_ssl(options: dict[str, str], scheme: str, port: int, faults: list[str]) -> bool:
    starttls = "starttls" in options
    if starttls and options["starttls"] != "required":
        faults.append("starttls has one value, required; without it STARTTLS is used if offered.")
    if scheme == "smtps" and port not in _IMPLICIT_TLS_PORTS:
        faults.append(
            "smtps:// (TLS from the first byte) is for port 465 or 2465. For another port write"
            " smtp:// with starttls=required."
        )
    if scheme == "smtps" and starttls:
        faults.append("smtps:// is TLS from the first byte: leave starttls away.")
    if scheme == "smtp" and starttls and port in _IMPLICIT_TLS_PORTS:
        faults.append(f"on port {port} TLS begins at the first byte: write smtps://.")
    return scheme == "smtps" or starttls


def _sender(options: dict[str, str], faults: list[str]) -> str:
    sender = options.get("sender", "")
    if not sender.strip():
        faults.append("sender is missing: add ?sender= and the address that mail is sent from.")
        return ""
    try:
        return str(parse_address(sender))
    except AddressError:
        faults.append("sender is not one plain e-mail address, such as notify@example.com.")
        return ""


def _display_name(options: dict[str, str], faults: list[str]) -> str:
    name = options.get("name", "").strip()
    if len(name) > _LONGEST_TEXT:
        faults.append(f"name has more than {_LONGEST_TEXT} characters.")
    return name


def _ca_file(options: dict[str, str], faults: list[str]) -> Path | None:
    if "ca" not in options:
        return None
    if not options["ca"]:
        faults.append("ca is empty: write the path of a file with certificates in PEM form.")
    return Path(options["ca"])


def _decoded(text: str, what: str, faults: list[str]) -> str:
    if _BAD_PERCENT.search(text):
        faults.append(f"{what} has a % that no two hexadecimal digits follow; write %25.")
        return ""
    try:
        decoded = unquote_to_bytes(text).decode("utf-8")
    except UnicodeDecodeError:
        faults.append(f"{what} is not UTF-8 when percent-decoded.")
        return ""
    # A line end inside any of these would be a command of its own on the way to the relay.
    if any(unicodedata.category(character) in {"Cc", "Zl", "Zp"} for character in decoded):
        faults.append(f"{what} holds a control character.")
        return ""
    return decoded
