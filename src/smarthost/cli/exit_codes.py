"""The one table of exit codes, which scripts rely on.

Errors stand in it by name, since importing them all would load every library before the first
letter of `--help` is shown; an error that was raised has its module loaded anyway.
"""

from enum import IntEnum


class ExitCode(IntEnum):
    """How a command ended."""

    DONE = 0
    NO = 1
    USAGE = 2
    CONFIGURATION = 3
    CONFLICT = 4
    STORE = 5


class UsageError(Exception):
    """The command was typed in a way that cannot be right; one line for each fault."""


class RefusedError(Exception):
    """What was typed is right, and may not be done here; one line for each reason."""


class AlreadyThereError(Exception):
    """Something stands in the way that this command would have to make."""


MEANINGS = {
    ExitCode.DONE: "Done.",
    ExitCode.NO: "The answer is no: a check found a fault, or there is no such thing.",
    ExitCode.USAGE: "The command was typed wrongly, or one of its values is not valid.",
    ExitCode.CONFIGURATION: "The configuration or the installation cannot be used as it is.",
    ExitCode.CONFLICT: "It is already there, or it was changed meanwhile.",
    ExitCode.STORE: "The store cannot be reached or written.",
}

ERRORS = {
    "smarthost.portals.model.NotFoundError": ExitCode.NO,
    "smarthost.app.processes.supervisor.WorkersFailedError": ExitCode.NO,
    "smarthost.demo.visitor.DemoError": ExitCode.NO,
    "smarthost.cli.exit_codes.RefusedError": ExitCode.NO,
    "smarthost.audit.reading.model.NoSuchEventError": ExitCode.NO,
    "smarthost.mail_queue.accepted.model.NoSuchMessageError": ExitCode.NO,
    "smarthost.relay_check.model.NothingToCheckError": ExitCode.NO,
    "smarthost.smtp_settings.binding.consent.model.NothingToConsentError": ExitCode.NO,
    "smarthost.smtp_settings.binding.model.NoOwnSettingsError": ExitCode.NO,
    "smarthost.smtp_settings.model.NoSuchRevisionError": ExitCode.NO,
    "smarthost.cli.exit_codes.UsageError": ExitCode.USAGE,
    "smarthost.app.roles.RolesError": ExitCode.USAGE,
    "smarthost.mail.address.AddressError": ExitCode.USAGE,
    "smarthost.mail_queue.accepted.model.NotAcceptableError": ExitCode.USAGE,
    "smarthost.portals.access.ForbiddenError": ExitCode.USAGE,
    "smarthost.portals.rules.PortalNameError": ExitCode.USAGE,
    "smarthost.portals.sign_in.passwords.PasswordError": ExitCode.USAGE,
    "smarthost.config.faults.ConfigError": ExitCode.CONFIGURATION,
    "smarthost.app.opening.NotInitialisedError": ExitCode.CONFIGURATION,
    "smarthost.app.database_file.NotAFileError": ExitCode.CONFIGURATION,
    "smarthost.app.opening.UnfinishedCopyError": ExitCode.CONFIGURATION,
    "smarthost.app.serve.SeveralPortalsError": ExitCode.CONFIGURATION,
    "smarthost.database.copy.model.SourceNotReadyError": ExitCode.CONFIGURATION,
    "smarthost.certificate.pair.CertificateError": ExitCode.CONFIGURATION,
    "smarthost.smtp_settings.key_ring_file.KeyRingError": ExitCode.CONFIGURATION,
    "smarthost.web.server.ListenError": ExitCode.CONFIGURATION,
    "smarthost.app.database_file.InUseError": ExitCode.CONFLICT,
    "smarthost.cli.exit_codes.AlreadyThereError": ExitCode.CONFLICT,
    "smarthost.database.copy.model.SourceInUseError": ExitCode.CONFLICT,
    "smarthost.database.copy.model.TargetTakenError": ExitCode.CONFLICT,
    "smarthost.database.draft_file.TargetExistsError": ExitCode.CONFLICT,
    "smarthost.mail_queue.accepted.model.IdempotencyMismatchError": ExitCode.CONFLICT,
    "smarthost.mail_queue.accepted.model.NotPossibleError": ExitCode.CONFLICT,
    "smarthost.portals.model.ConflictError": ExitCode.CONFLICT,
    "smarthost.smtp_settings.key_ring_file.KeyRingBusyError": ExitCode.CONFLICT,
    "smarthost.smtp_settings.model.RevisionConflictError": ExitCode.CONFLICT,
    "smarthost.database.engine.StoreUnavailableError": ExitCode.STORE,
}
"""Each error that a command may end in, by module and name."""


def exit_code(error: Exception) -> ExitCode | None:
    """Return the code of an expected error, None for one that is our own fault."""
    names = (f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__)
    return next((ERRORS[name] for name in names if name in ERRORS), None)
