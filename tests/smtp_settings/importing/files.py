"""What is read from a file, as tests ask for it."""

import pytest

from smarthost.smtp_settings.importing.model import Given, Imported, NotImportableError
from smarthost.smtp_settings.importing.reading import read_settings


def imported(text: str, given: Given | None = None) -> Imported:
    return read_settings(text.encode(), given or Given())


def refusal(text: str | bytes, given: Given | None = None) -> str:
    """Return the faults, one a line."""
    octets = text.encode() if isinstance(text, str) else text
    with pytest.raises(NotImportableError) as caught:
        read_settings(octets, given or Given())
    return "\n".join(caught.value.faults)


def notes(text: str, given: Given | None = None) -> str:
    return "\n".join(imported(text, given).notes)
