"""Reads settings out of another program's file, whichever of the known ones it is.

What is recognised is told, and so is what is left out: whoever imports settings is to know what
they will not find again.
"""

from smarthost.mail.smtp_url import scheme_of
from smarthost.smtp_settings.importing.environment import gather_variables
from smarthost.smtp_settings.importing.gathering import Gathering
from smarthost.smtp_settings.importing.keycloak import gather_realm
from smarthost.smtp_settings.importing.model import Given, Imported, NotImportableError
from smarthost.smtp_settings.importing.url import gather_url
from smarthost.smtp_settings.importing.variables import read_variables

LARGEST_TEXT = 64 * 1024
"""Octets of a URL, or of a file of variables."""
LARGEST_REALM = 4 * 1024 * 1024
"""Octets of JSON. A realm without its users has some hundred thousand."""

_UNKNOWN = (
    "This is nothing that can be imported: a URL smtp://…, a .env file with a mail server in it, "
    "or a realm of Keycloak as JSON. docs/importing.md says which variables are read."
)


def read_settings(octets: bytes, given: Given) -> Imported:
    """Return the settings in a file. They are what was typed there, and still to be checked.

    Raises `NotImportableError` with every fault.
    """
    try:
        text = octets.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise NotImportableError("This is not UTF-8 text.") from None
    is_json = text.startswith(("{", "["))
    largest = LARGEST_REALM if is_json else LARGEST_TEXT
    if len(octets) > largest:
        raise NotImportableError(
            f"This is too large: {'a realm' if is_json else 'such a file'} may have "
            f"{largest >> 10} KiB here. Cut out what concerns mail."
        )
    gathering = Gathering(given)
    return gathering.settled(_gather(gathering, text, is_json=is_json))


def _gather(gathering: Gathering, text: str, *, is_json: bool) -> str:
    """Take in all that is said, and return what the text was taken for."""
    if is_json:
        return gather_realm(gathering, text)
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    if len(lines) == 1 and scheme_of(lines[0]):
        gather_url(gathering, lines[0], "The URL")
        return "a URL"
    recognised = gather_variables(gathering, read_variables(text))
    if recognised is None:
        raise NotImportableError(_UNKNOWN)
    return recognised
