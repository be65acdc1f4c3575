"""What can be seen to be wrong before any connection, since the rules of the settings say so."""

from typing import Any, NamedTuple

from smarthost.secret import Secret
from smarthost.smtp_settings.model import Faults, InvalidSettingsError, SettingsInput
from smarthost.smtp_settings.rules import check

FIELDS = {
    "host": "host",
    "port": "port",
    "sender_address": "senderAddress",
    "user_name": "credentialsUserName",
    "password": "credentialsUserPassword",
}


class Typed(NamedTuple):
    """One value that is refused."""

    name: str
    field: str
    """Of `SettingsInput`."""
    value: str | int | None
    says: str
    """Words that tell what to type in its place."""


TYPED_ROWS = [
    Typed("The host is a URL", "host", "https://mail.example.com/", "mail.example.com, here"),
    Typed(
        "The host is a URL with a port",
        "host",
        "smtp://mail.example.com:587",
        "587 in the port field",
    ),
    Typed("The host has the port behind it", "host", "mail.example.com:465", "465 in the port"),
    Typed("The same with a blank", "host", "mail.example.com 25", "25 in the port field"),
    Typed("The host is an e-mail address", "host", "anna@example.com", "user name field"),
    Typed("The host has a path behind it", "host", "mail.example.com/owa", "mail.example.com"),
    Typed("Two hosts", "host", "mx1.example.com, mx2.example.com", "one host name"),
    Typed("The host has two dots in a row", "host", "mail..example.com", "not a valid host name"),
    Typed("No host", "host", "", "such as mail.example.com"),
    Typed("The port is none", "port", 70000, "1 to 65535"),
    Typed("The sender address is a name", "sender_address", "The office", "address"),
    Typed("No sender address", "sender_address", None, "such as notify@example.com"),
    Typed("A login without a user name", "user_name", "", "user name is needed"),
    Typed("A login without a password", "password", None, "password is needed"),
]


def settings(**typed: Any) -> SettingsInput:
    """Return what would be right but for `typed`."""
    right: dict[str, Any] = {
        "host": "mail.example.com",
        "port": 587,
        "sender_address": "notify@example.com",
        "user_name": "postman",
        "password": Secret("Correct-Horse-7"),
        "enable_ssl": True,
        "enable_auth": True,
    }
    return SettingsInput(**right | typed)


def refused(row: Typed) -> Faults:
    """Return what the rules say to it, by field."""
    try:
        check(settings(**{row.field: row.value}), None)
    except InvalidSettingsError as error:
        return error.faults
    return {}
