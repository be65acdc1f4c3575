"""The fixed exit codes: each by the real program, and the table against all errors there are."""

import importlib
import pkgutil
import socket
from collections.abc import Iterator
from typing import TypeVar

import pytest

import smarthost
from smarthost.cli.exit_codes import ERRORS, MEANINGS, ExitCode, exit_code
from tests.cli.program import Program

NEVER_LEAVES_A_COMMAND = {
    "smarthost.config.faults.InvalidValueError": "becomes a fault of ConfigError",
    "smarthost.database.postgresql_candidate.StandbyError": "is told by a NoPrimaryError",
    "smarthost.database.postgresql_candidate.UnfitError": "is told by a NoPrimaryError",
    "smarthost.database.postgresql_primary.NoPrimaryError": "becomes a StoreUnavailableError",
    "smarthost.database.session_lock.LockedError": "becomes a NoTokenError",
    "smarthost.database.sqlite_units.RaisedError": "becomes what a unit has raised",
    "smarthost.delivery.bearer_token.NoTokenError": "is an attempt's outcome",
    "smarthost.delivery.hand_over.SessionGoneError": "begins the attempt anew",
    "smarthost.delivery.progress.EnoughError": "becomes an outcome",
    "smarthost.delivery.progress.StoppedError": "becomes an outcome",
    "smarthost.http_client.model.NoAnswerError": "is told as what was asked for: a token, a file",
    "smarthost.identity.keys.BadIssuerError": "becomes a finding of doctor",
    "smarthost.identity.model.IdentityError": "the base of others",
    "smarthost.identity.model.IssuerUnavailableError": "answers a request",
    "smarthost.identity.model.TokenRefusedError": "answers a request",
    "smarthost.mail.compose.ComposeError": "becomes a fault of the message",
    "smarthost.mail.domain.DomainError": "becomes an AddressError or HostError",
    "smarthost.mail.header_reader.HeaderError": "becomes a fault of the message",
    "smarthost.mail.host.HostError": "becomes a fault of the settings or of the configuration",
    "smarthost.mail.mime.MimeError": "becomes a RawMessageError, or an outcome",
    "smarthost.mail.submitted.LoopError": "becomes a fault of the message",
    "smarthost.mail.submitted.RawMessageError": "becomes a fault of the message",
    "smarthost.mail_queue.mail_log.words.SearchError": "becomes a UsageError",
    "smarthost.mail_queue.model.BrokenOffError": "becomes an outcome",
    "smarthost.mail_queue.store.ClaimLostError": "ends an attempt",
    "smarthost.mail_queue.store.SuspendedError": "leaves the message where it is",
    "smarthost.portals.access.SettingsSwitchedOffError": "the operator is not bound by it",
    "smarthost.portals.access.SuspendedError": "answers a request; a command says it otherwise",
    "smarthost.portals.model.PortalsError": "the base of others",
    "smarthost.portals.sign_in.model.TooManyFailuresError": "the operator does not sign in",
    "smarthost.relay_check.model.RelayCheckError": "the base of others",
    "smarthost.relay_check.model.TooManyTestsError": "the operator is not bound by it",
    "smarthost.relay_check.suggestions.autoconfig_reader.NoConfigError": "means no suggestion",
    "smarthost.sending.moments.MomentError": "becomes a fault of the message, or a UsageError",
    "smarthost.smtp.command_parser.CommandError": "answers a command",
    "smarthost.smtp.command_reader.LineError": "answers a command",
    "smarthost.smtp.egress.DestinationForbiddenError": "becomes an outcome",
    "smarthost.smtp.egress.EgressError": "becomes an outcome",
    "smarthost.smtp.egress.NameLookupError": "becomes an outcome",
    "smarthost.smtp.egress.RelayNotFoundError": "becomes an outcome",
    "smarthost.smtp.errors.ClosedError": "becomes an outcome",
    "smarthost.smtp.errors.ConnectError": "becomes an outcome",
    "smarthost.smtp.errors.ProtocolError": "becomes an outcome",
    "smarthost.smtp.errors.RefusedError": "becomes an outcome",
    "smarthost.smtp.errors.SmtpError": "becomes an outcome",
    "smarthost.smtp.errors.StartTlsInjectionError": "becomes an outcome",
    "smarthost.smtp.errors.TimedOutError": "becomes an outcome",
    "smarthost.smtp.errors.TlsError": "becomes an outcome",
    "smarthost.smtp.parameters.ParameterError": "becomes a CommandError",
    "smarthost.smtp.sasl.SaslError": "becomes an outcome",
    "smarthost.smtp.sasl_server.BadResponseError": "answers a command",
    "smarthost.smtp.sasl_server.CancelledError": "answers a command",
    "smarthost.smtp.xtext.XtextError": "becomes a ParameterError",
    "smarthost.smtp_settings.importing.model.NotImportableError": "becomes a UsageError",
    "smarthost.smtp_settings.model.InvalidSettingsError": "becomes a UsageError",
    "smarthost.smtp_settings.model.SmtpSettingsError": "the base of others",
    "smarthost.smtp_settings.sealing.SealBrokenError": "becomes a finding of doctor",
    "smarthost.submission.idempotency.KeyMisusedError": "answers a command",
    "smarthost.submission.proxy_header.ProxyHeaderError": "ends a connection",
    "smarthost.submission.wire.LostError": "ends a session",
    "smarthost.submission.wire.TimedOutError": "ends a session",
    "smarthost.web.emails.errors.EmailsError": "answers a request",
    "smarthost.web.errors.RequestError": "answers a request",
    "smarthost.web.errors.UnauthorizedError": "answers a request",
    "smarthost.web.pages.page.AskedInVainError": "answers a request for a page",
    "smarthost.web.request_head.RefusedError": "answers a request",
    "smarthost.webhooks.model.InvalidUrlError": "no command sets a webhook",
    "smarthost.webhooks.model.NoAnswerError": "is written beside the event",
    "smarthost.webhooks.model.WebhooksError": "the base of others",
}

T = TypeVar("T")


def test_done_is_0(program: Program) -> None:
    assert program("--version").code == 0


def test_no_is_1(untouched: Program) -> None:
    assert untouched("user", "remove", "nobody@example.com").code == 1
    assert untouched("key", "revoke", "no-uuid").code == 1
    assert untouched("settings", "show", "--portal", "nowhere").code == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["settings", "erase"],
        ["settings", "show", "--colour"],
        ["settings", "show", "--portal", "No Label"],
        ["user", "create", "no address"],
        ["user", "create", "a@example.com", "--role", "king"],
        ["user", "password", "a@example.com"],
        ["user", "password", "a@example.com", "--password-stdin", "--password-file", "x"],
        ["key", "create", "--name", "x", "--permission", "all"],
        ["portal", "create", "-acme"],
    ],
)
def test_usage_is_2(untouched: Program, arguments: list[str]) -> None:
    ended = untouched(*arguments)
    assert (ended.code, ended.out) == (2, "")
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("place", ["portal", "name", "email", "host"])
def test_octets_that_are_no_text_are_a_usage_error(untouched: Program, place: str) -> None:
    odd = "\udcff"
    line = {
        "portal": ("user", "list", "--portal", odd),
        "name": ("key", "create", "--permission", "read", "--name", odd),
        "email": ("user", "create", f"{odd}@example.com"),
        "host": ("settings", "save", "--sender-address", "a@a.test", "--host", odd),
    }[place]
    ended = untouched(*line)
    assert ended.code == 2
    assert ended.err.startswith("smarthost: ")


def test_configuration_is_3_with_every_fault_on_a_line(program: Program) -> None:
    ended = program("user", "list", SMARTHOST_COLOUR="red", SMARTHOST_LOG_LEVEL="loud")
    assert (ended.code, ended.out) == (3, "")
    assert len(ended.err.splitlines()) == 2
    assert all(line.startswith("smarthost: SMARTHOST_") for line in ended.err.splitlines())


@pytest.mark.parametrize(
    "arguments", [["user", "list"], ["settings", "show"], ["key", "list"], ["portal", "list"]]
)
def test_an_empty_folder_is_3_and_stays_empty(program: Program, arguments: list[str]) -> None:
    ended = program(*arguments)
    assert ended.code == 3
    assert "smarthost init" in ended.err
    assert not program.data_dir.exists()


def test_a_missing_key_ring_is_3(installed: Program) -> None:
    (installed.data_dir / "keyring.json").unlink()
    ended = installed("settings", "show")
    assert ended.code == 3
    assert "key ring" in ended.err


@pytest.mark.parametrize("name", ["SMARTHOST_HTTP_LISTEN", "SMARTHOST_SUBMISSION_LISTEN"])
def test_a_port_in_use_is_3(installed: Program, name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        ended = installed("serve", **{name: f"127.0.0.1:{port}"})
    assert ended.code == 3
    assert ended.err.count("\n") == 1
    assert "port is in use" in ended.err


def test_several_portals_without_a_base_domain_are_3(installed: Program) -> None:
    installed("portal", "create", "acme", SMARTHOST_BASE_DOMAIN="portals.test")
    ended = installed("serve")
    assert ended.code == 3
    assert "SMARTHOST_BASE_DOMAIN" in ended.err


def test_a_store_that_cannot_be_opened_is_5(program: Program) -> None:
    program.data_dir.mkdir()
    (program.data_dir / "smarthost.db").write_bytes(b"no database at all" * 100)
    ended = program("user", "list")
    assert (ended.code, ended.out) == (5, "")
    assert ended.err.startswith("smarthost: ")
    assert "Traceback" not in ended.err


def test_a_data_directory_that_cannot_be_made_is_5(program: Program) -> None:
    (program.folder / "file").write_text("")
    ended = program(
        "init", "--admin-email", "a@example.com", SMARTHOST_DATA_DIR=str(program.folder / "file/x")
    )
    assert ended.code == 5
    assert ended.err.startswith("smarthost: The data directory")


def test_every_error_in_the_table_is_one() -> None:
    for name in ERRORS:
        module, _, error = name.rpartition(".")
        assert issubclass(getattr(importlib.import_module(module), error), Exception), name


def test_every_error_of_the_rooms_has_a_code_or_never_leaves_a_command() -> None:
    errors = {
        f"{kind.__module__}.{kind.__qualname__}": kind
        for kind in descendants(Exception)
        if kind.__module__.startswith("smarthost.") and not kind.__name__.startswith("_")
    }
    without = {
        name
        for name, kind in errors.items()
        if not any(f"{one.__module__}.{one.__qualname__}" in ERRORS for one in kind.__mro__)
    }
    assert without == set(NEVER_LEAVES_A_COMMAND)


def test_every_code_has_a_meaning_and_our_own_faults_have_none() -> None:
    assert set(MEANINGS) == set(ExitCode)
    assert exit_code(ZeroDivisionError()) is None


def descendants(kind: type[T]) -> Iterator[type[T]]:
    for module in pkgutil.walk_packages(smarthost.__path__, "smarthost."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    waiting = [kind]
    while waiting:
        for child in waiting.pop().__subclasses__():
            waiting.append(child)
            yield child
