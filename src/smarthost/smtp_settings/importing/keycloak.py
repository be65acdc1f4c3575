"""The mail server of a realm, as Keycloak exports it: JSON with an object `smtpServer`.

An export has asterisks in place of the password, unless it was made on the command line, and may
have references that are filled in when it is imported.
"""

import json
from types import MappingProxyType
from typing import Any

from smarthost.smtp_settings.importing.gathering import Gathering, is_true
from smarthost.smtp_settings.importing.model import (
    Encryption,
    Field,
    Left,
    Meanings,
    NotImportableError,
    Switch,
)

_OBJECT = "smtpServer"
_CUT_OUT = "Cut out the object smtpServer of the realm that you mean."

# https://www.keycloak.org/docs-api/latest/rest-api/index.html#RealmRepresentation, and the names
# that org.keycloak.email.DefaultEmailSenderProvider reads.
KEYCLOAK: Meanings = MappingProxyType(
    {
        "host": Field.HOST,
        "port": Field.PORT,
        "user": Field.USER_NAME,
        "password": Field.PASSWORD,
        "from": Field.SENDER,
        "fromdisplayname": Field.SENDER_NAME,
        "ssl": Switch(Encryption.IMPLICIT),
        "starttls": Switch(Encryption.STARTTLS),
        "auth": Field.LOGS_IN,
        "authtype": Field.MECHANISM,
        "authtokenurl": Left.OAUTH2,
        "authtokenscope": Left.OAUTH2,
        "authtokenclientid": Left.OAUTH2,
        "authtokenclientsecret": Left.OAUTH2,
        "replyto": Left.REPLY_TO,
        "replytodisplayname": Left.REPLY_TO,
        "envelopefrom": Left.ENVELOPE,
        "timeout": Left.TIMES,
        "connectiontimeout": Left.TIMES,
        "writetimeout": Left.TIMES,
    }
)


def gather_realm(gathering: Gathering, text: str) -> str:
    """Take in what a realm says, a list of one, or `smtpServer` alone; return what it is.

    Raises `NotImportableError` where it is no such thing.
    """
    server = _server(_parsed(text))
    values = {name.lower(): _text(value) for name, value in server.items()}
    by_token = is_true(values.get("auth", "")) and values.get("authtype", "").lower() == "token"
    for name, value in server.items():
        meaning = KEYCLOAK.get(name.lower())
        said = _text(value)
        if meaning is None or not said:
            continue
        # They stay in the export after the login has become another one.
        if meaning in (Left.OAUTH2, Field.MECHANISM) and not by_token:
            continue
        gathering.take(meaning, said, f"{_OBJECT}.{name}")
    if not values.get("auth"):
        gathering.take(Field.LOGS_IN, "false", f"{_OBJECT}.auth")
    return "a realm of Keycloak"


def _parsed(text: str) -> Any:  # noqa: ANN401 - whatever the file holds
    try:
        return json.loads(text, object_pairs_hook=_without_doubles)
    except RecursionError:
        raise NotImportableError("This JSON is nested too deeply.") from None
    except _DoubledError:
        raise NotImportableError("An object of this JSON has a name twice.") from None
    except ValueError:
        raise NotImportableError("This begins as JSON does and is none.") from None


def _server(document: object) -> dict[str, Any]:
    realms = document if isinstance(document, list) else [document]
    found = [
        realm[_OBJECT]
        for realm in realms
        if isinstance(realm, dict) and isinstance(realm.get(_OBJECT), dict) and realm[_OBJECT]
    ]
    if len(found) > 1:
        raise NotImportableError(f"Several realms here have a mail server. {_CUT_OUT}")
    if found:
        return dict(found[0])
    if isinstance(document, dict) and isinstance(document.get("host"), str):
        return document
    raise NotImportableError(
        "This JSON is no realm of Keycloak with a mail server: it has no object smtpServer."
    )


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, (str, int)) else ""


class _DoubledError(ValueError):
    """A name is there twice."""


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise _DoubledError
    return made
