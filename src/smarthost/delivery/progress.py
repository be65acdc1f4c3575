"""How far one attempt has come: reports each step, gives it its time, keeps what is known.

Every step goes through `step`, so none can be forgotten in a report, run without a deadline, or
fail in two ways.
"""

import base64
from collections.abc import Iterable, Mapping
from itertools import islice
from types import TracebackType
from typing import Self

from smarthost.clock import Clock
from smarthost.delivery.bearer_token import NoTokenError
from smarthost.delivery.classify import Fault, Situation, classify
from smarthost.delivery.outcome import Code, Outcome, Report, Result, Step, StepState
from smarthost.delivery.relay import RelaySettings
from smarthost.secret import Secret
from smarthost.smtp.bearer import spellings
from smarthost.smtp.egress import EgressError
from smarthost.smtp.errors import ProtocolError, RefusedError, SmtpError
from smarthost.smtp.reply import Reply, hiding

# From the greeting on at least what RFC 5321, section 4.5.3.2, asks for, since a shorter wait for
# the reply to a message makes duplicates; the attempt's own deadline may come first.
LIMITS: Mapping[Step, float] = {
    Step.RESOLVE: 10,
    Step.CONNECT: 30,
    Step.GREETING: 300,
    Step.EHLO: 300,
    Step.TLS: 60,
    Step.AUTHENTICATE: 120,
    Step.SENDER: 300,
    Step.RECIPIENT: 300,
    Step.DATA: 600,
}
"""The most seconds that a step may take."""

_MECHANISMS_SHOWN = 20


class StoppedError(Exception):
    """The attempt can go no further; inside `delivery` alone, it becomes an outcome."""

    def __init__(self, step: Step, fault: Fault) -> None:
        super().__init__(f"Stopped at {step}.")
        self.step = step
        self.fault = fault


class EnoughError(Exception):
    """The step that the attempt was to go to is done."""


class StepNotes:
    """What a step sees while it runs, and how it ends unless it fails; made by `Progress.step`."""

    __slots__ = ("_progress", "_step", "seen", "state", "warnings")

    def __init__(self, progress: "Progress", step: Step) -> None:
        self.seen: dict[str, object] = {}
        self.warnings: tuple[Code, ...] = ()
        self.state = StepState.OK
        self._progress = progress
        self._step = step

    async def __aenter__(self) -> Self:
        await self._progress.tell(self._step, StepState.BEGIN, {})
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        _: TracebackType | None,
    ) -> None:
        progress, step = self._progress, self._step
        if error is None:
            await progress.tell(step, self.state, self.seen)
            progress.stop_if_last(step)
        elif isinstance(error, SmtpError | EgressError | NoTokenError):
            await progress.tell(step, StepState.FAILED, self.seen)
            raise StoppedError(step, error) from error
        elif isinstance(error, StoppedError):
            await progress.tell(step, StepState.FAILED, self.seen)


class Progress:
    """One attempt on its way; `deadline` is a moment of the clock's `monotonic()`."""

    def __init__(
        self,
        settings: RelaySettings,
        *,
        report: Report,
        clock: Clock,
        until: Step,
        deadline: float,
    ) -> None:
        self.clock = clock
        self.address: str | None = None
        self.tls: str | None = None
        self.logged_in = False
        self.warnings: tuple[Code, ...] = ()
        self.until = until
        self.tell = report
        self._settings = settings
        self._deadline = deadline
        self._secrets: tuple[str, ...] | None = None

    def deadline(self, step: Step) -> float:
        """Return when a step that begins now has to be done."""
        return min(self.clock.monotonic() + LIMITS[step], self._deadline)

    def warn(self, notes: StepNotes, code: Code) -> None:
        """Let a step end with a warning, which also goes with every outcome."""
        notes.state = StepState.WARNING
        notes.warnings = (*notes.warnings, code)
        notes.seen["warnings"] = list(notes.warnings)
        self.warnings = tuple(dict.fromkeys((*self.warnings, code)))

    def begin_anew(self) -> None:
        """Forget what was known of a connection: another one is made."""
        self.address = self.tls = None
        self.logged_in = False
        self.warnings = ()

    def step(self, step: Step) -> StepNotes:
        """Report a step around what is done in it, by `async with`.

        Raises `StoppedError` where that fails, `EnoughError` after the last step to be done.
        """
        return StepNotes(self, step)

    async def skip(self, step: Step) -> None:
        """Report a step that is not part of this attempt."""
        await self.tell(step, StepState.SKIPPED, {})
        self.stop_if_last(step)

    def stop_if_last(self, step: Step) -> None:
        """Raise `EnoughError` after the step that the attempt was to go to."""
        if step is self.until:
            raise EnoughError

    def shown(self, reply: Reply) -> str:
        """Return a reply as text, without the password, which a relay may repeat at any time."""
        return reply.hiding(self._spelled).text

    def shown_mechanisms(self, names: Iterable[str]) -> list[str]:
        """Return the first of what a relay offers in the same way.

        These were brought to upper case. No server knows as many as are shown, and a reply has
        room for thousands.
        """
        spelled = [text.upper() for text in self._spelled]
        return [hiding(name, spelled) for name in islice(names, _MECHANISMS_SHOWN)]

    def hide(self, token: Secret) -> None:
        """Keep a token, too, out of what is shown."""
        settings = self._settings
        self._secrets = spellings(
            settings.user_name, token, host=settings.host, port=settings.port
        )

    @property
    def _spelled(self) -> tuple[str, ...]:
        if self._secrets is None:
            user_name, password = self._settings.user_name, self._settings.password
            self._secrets = () if password is None else _spellings(user_name, password)
        return self._secrets

    def accepted(self, recipient: str, reply: str, *, relayed_untold: bool = False) -> Outcome:
        """Return the outcome of a recipient that the relay has the message for.

        `reply` is what it said, as `shown` gives it; `relayed_untold` is the outcome's.
        """
        return Outcome(
            recipient=recipient,
            result=Result.ACCEPTED,
            step=Step.DATA,
            reply=reply,
            address=self.address,
            tls=self.tls,
            revision=self._settings.revision,
            warnings=self.warnings,
            relayed_untold=relayed_untold,
        )

    def failed(
        self,
        recipient: str,
        step: Step,
        fault: Fault,
        *,
        sender: str = "",
        in_doubt: bool = False,
    ) -> Outcome:
        """Return the outcome of a recipient that was stopped at `step`."""
        situation = Situation(
            tls=self.tls is not None,
            logged_in=self.logged_in,
            helo_name=self._settings.helo_name,
            sender=sender,
            recipient=recipient,
        )
        verdict = classify(step, fault, situation)
        said = fault.said if isinstance(fault, NoTokenError) else None
        reply = _reply_of(fault)
        return Outcome(
            recipient=recipient,
            result=verdict.result,
            step=step,
            code=verdict.code,
            permanent=verdict.permanent,
            in_doubt=in_doubt,
            reply=said if reply is None else self.shown(reply),
            address=self.address,
            tls=self.tls,
            revision=self._settings.revision,
            warnings=self.warnings,
        )


def _spellings(user_name: str, password: Secret) -> tuple[str, ...]:
    """Give the password as it is and as logins write it, the longest first.

    The end of one may be the whole of another.
    """
    plain = f"\0{user_name}\0{password.reveal()}"
    encoded = (base64.b64encode(text.encode()).decode() for text in (plain, password.reveal()))
    return (*encoded, password.reveal())


def _reply_of(fault: Fault) -> Reply | None:
    if isinstance(fault, RefusedError | ProtocolError):
        return fault.reply
    return fault if isinstance(fault, Reply) else None
