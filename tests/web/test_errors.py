import importlib
import pkgutil
from http import HTTPStatus

import pytest

import smarthost
from smarthost.clock import MICROSECONDS
from smarthost.database.engine import StoreUnavailableError
from smarthost.identity.model import IdentityError, TokenRefusedError
from smarthost.portals.access import ForbiddenError
from smarthost.portals.model import PortalsError
from smarthost.portals.rules import PortalNameError
from smarthost.portals.sign_in.model import TooManyFailuresError
from smarthost.portals.sign_in.passwords import PasswordError
from smarthost.relay_check.model import RelayCheckError, TooManyTestsError
from smarthost.smtp_settings.importing.model import NotImportableError
from smarthost.smtp_settings.key_ring_file import KeyRingBusyError, KeyRingError
from smarthost.smtp_settings.model import InvalidSettingsError, SmtpSettingsError
from smarthost.smtp_settings.sealing import SealBrokenError
from smarthost.web.errors import (
    STATUSES,
    UnauthorizedError,
    invalid_fields,
    refusal_of,
    seconds_until,
)

ELSEWHERE = {
    InvalidSettingsError,  # its fields are named by the end point
    SealBrokenError,  # the store takes it for no password
    KeyRingError,  # ends the start
    KeyRingBusyError,  # rotating is the operator's, on the command line
    PortalNameError,  # portals and passwords are the operator's, on the command line
    PasswordError,
    NotImportableError,  # importing is the command line's
    TokenRefusedError,  # other credentials may be valid; if not, its words are told with 401
}
NOW = 1_000_000 * MICROSECONDS


def rooms_errors() -> set[type[Exception]]:
    """Return every error that the rooms below `web` define, and no base of others."""
    for module in pkgutil.walk_packages(smarthost.__path__, "smarthost."):
        if module.name.split(".")[1] in (
            "database",
            "portals",
            "smtp_settings",
            "audit",
            "relay_check",
            "identity",
        ):
            importlib.import_module(module.name)

    def leaves(kind: type[Exception]) -> set[type[Exception]]:
        below = kind.__subclasses__()
        return set().union(*map(leaves, below)) if below else {kind}

    bases: list[type[Exception]] = [
        IdentityError,
        PortalsError,
        RelayCheckError,
        SmtpSettingsError,
        StoreUnavailableError,
    ]
    return set().union(*map(leaves, bases))


def test_every_error_of_a_room_has_its_status() -> None:
    # The one error that is raised itself and has a special case.
    assert (rooms_errors() | {StoreUnavailableError}) - ELSEWHERE == set(STATUSES)


@pytest.mark.parametrize("kind", STATUSES)
def test_what_is_refused_says_why(kind: type[Exception]) -> None:
    error = kind.__new__(kind, "why")
    if isinstance(error, TooManyFailuresError | TooManyTestsError):
        error.until = NOW
    refusal = refusal_of(error, NOW)

    assert refusal is not None
    assert refusal.status == STATUSES[kind]
    retried = refusal.status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
    assert ("Retry-After" in refusal.headers) == retried


def test_our_own_faults_are_in_no_table() -> None:
    for error in (ValueError("secret"), KeyError("secret"), RecursionError()):
        assert refusal_of(error, NOW) is None


def test_the_words_of_the_store_stay_with_the_operator() -> None:
    refusal = refusal_of(StoreUnavailableError("/var/lib/smarthost/x.db is damaged"), NOW)

    assert refusal is not None
    assert "/var" not in refusal.message
    assert "nothing was changed" in refusal.message


def test_a_room_s_own_words_are_told() -> None:
    refusal = refusal_of(ForbiddenError("Not you."), NOW)

    assert refusal is not None
    assert (refusal.status, refusal.message) == (403, "Not you.")


def test_wrong_fields_are_told_in_the_message_too() -> None:
    error = invalid_fields({"host": ["a.", "b."], "port": ["c."]})

    assert (error.status, error.message) == (400, "host: a. host: b. port: c.")
    assert error.fields == {"host": ["a.", "b."], "port": ["c."]}


def test_401_has_a_challenge() -> None:
    assert UnauthorizedError("Who?").headers == {"WWW-Authenticate": 'Bearer realm="Smarthost"'}


@pytest.mark.parametrize(
    ("microseconds", "seconds"),
    [(-5, 1), (0, 1), (1, 1), (MICROSECONDS, 1), (MICROSECONDS + 1, 2)],
)
def test_a_wait_is_whole_seconds_and_never_none(microseconds: int, seconds: int) -> None:
    assert seconds_until(NOW + microseconds, NOW) == seconds
