"""The default relay, written as one URL.

`smtp[s]://user:password@host:port?sender=…&name=…&starttls=required&ca=…` (the syntax of RFC
3986). The URL holds a password, and a mistake in its punctuation can put a piece of the password
where the host should be; so no message here repeats any part of it.
"""

from pathlib import Path

from smarthost.config.faults import InvalidValueError
from smarthost.config.model import DefaultRelay
from smarthost.config.values import parse_port
from smarthost.mail.address import AddressError, parse_address
from smarthost.mail.host import HostError, parse_host
from smarthost.mail.smtp_url import ENCODE, SmtpUrl, decoded, scheme_of, split_smtp_url
from smarthost.secret import Secret

_DEFAULT_PORTS = {"smtp": 25, "smtps": 465}
_IMPLICIT_TLS_PORTS = (465, 2465)  # RFC 8314, section 7.3, and the alternative many hosts open
_QUERY_KEYS = ("sender", "name", "starttls", "ca")
_LONGEST_TEXT = 255  # characters, as in the settings of a portal
_LONGEST_PASSWORD = 1_000  # octets, as in the settings of a portal


def parse_default_relay(text: str) -> DefaultRelay:
    """Give the relay that the URL describes; a relative `ca` is still to be resolved.

    Raises `InvalidValueError` with every fault of the URL.
    """
    scheme = scheme_of(text)
    if scheme not in _DEFAULT_PORTS:
        raise InvalidValueError("the URL starts with smtp:// or with smtps://.")
    faults: list[str] = []
    url = split_smtp_url(text, faults)
    user_name, password = _credentials(url, faults)
    options = _options(url, faults)
    host, port = _destination(url, scheme, faults)
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


def _credentials(url: SmtpUrl, faults: list[str]) -> tuple[str, Secret | None]:
    if (url.user_name is None) != (url.password is None):
        faults.append(
            "user name and password belong together: write user:password@ before the host, or"
            " leave both away."
        )
    if len(url.user_name or "") > _LONGEST_TEXT:
        faults.append(f"the user name has more than {_LONGEST_TEXT} characters.")
    if url.password is not None and len(url.password.reveal().encode()) > _LONGEST_PASSWORD:
        faults.append(f"the password has more than {_LONGEST_PASSWORD} octets.")
    return url.user_name or "", url.password


def _destination(url: SmtpUrl, scheme: str, faults: list[str]) -> tuple[str, int]:
    host, port = "", _DEFAULT_PORTS[scheme]
    try:
        host = parse_host(url.host)
    except HostError:
        faults.append(f"the host is no host name, such as mail.example.com. {ENCODE}")
    if url.port is not None:
        try:
            port = parse_port(url.port, lowest=1)
        except InvalidValueError as error:
            faults.extend(f"{message} {ENCODE}" for message in error.messages)
    return host, port


def _options(url: SmtpUrl, faults: list[str]) -> dict[str, str]:
    options: dict[str, str] = {}
    for key, value in url.options:
        if key not in _QUERY_KEYS:
            faults.append(f"behind the ? only {', '.join(_QUERY_KEYS)} are known. {ENCODE}")
        elif key in options:
            faults.append(f"{key} is given twice.")
        else:
            options[key] = decoded(value, key, faults)
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
