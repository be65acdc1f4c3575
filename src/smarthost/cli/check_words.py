"""A check in words and cells: what each step saw, what went wrong, what is warned of.

What a relay says is in here, so whatever prints it replaces what a terminal would obey.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from smarthost.delivery.outcome import Step, StepState
from smarthost.explanations.failure import Failure
from smarthost.relay_check.model import Checked, StepTold

HEADINGS = ("STEP", "STATE", "TIME", "SEEN")


def cells(step: StepTold) -> tuple[str, str, str, str]:
    """Return the row of a step."""
    state = "…" if step.state is StepState.BEGIN else step.state.value
    time = "" if not step.milliseconds else f"{step.milliseconds:,.1f} ms"
    seen = [*_seen(step.step, step.seen), *_warned(step.seen)]
    return step.step.value, state, time, "; ".join(filter(None, seen))


def words(checked: Checked, *, typed: bool) -> Iterator[str]:
    """Give lines that say what the check came to; `typed`: it was not of the stored settings."""
    if checked.failure is None:
        yield _passed(checked, typed=typed)
    else:
        yield from _told(f"{checked.failure.title}.", checked.failure)
    for warning in checked.warnings:
        yield ""
        yield from _told(f"Warning: {warning.title}.", warning)


def _passed(checked: Checked, *, typed: bool) -> str:
    if checked.saved:
        ended = " The OAuth2 sign-in has ended." if checked.ends_oauth2 else ""
        return f"These settings work, and are saved as revision {checked.revision}.{ended}"
    return f"These settings work.{' They are not saved.' if typed else ''}"


def _told(first: str, failure: Failure) -> Iterator[str]:
    yield first
    for line in (failure.why, failure.fix):
        if line:
            yield f"  {line}"
    if failure.reply:
        yield f"  The mail server said: {failure.reply}"


def _seen(step: Step, seen: Mapping[str, Any]) -> Iterator[str]:
    match step:
        case Step.RESOLVE:
            yield ", ".join(seen.get("addresses", ()))
        case Step.CONNECT:
            yield f"{seen['address']} port {seen['port']}" if seen else ""
        case Step.GREETING:
            yield seen.get("banner", "")
        case Step.EHLO:
            yield from _offered(seen)
        case Step.TLS:
            yield from _protected(seen)
        case Step.AUTHENTICATE:
            yield seen.get("mechanism", "")
            yield seen.get("reply", "")
        case _:
            yield seen.get("reply", "")
            yield ", ".join(seen.get("replies", ()))


def _warned(seen: Mapping[str, Any]) -> Iterator[str]:
    for code in seen.get("warnings", ()):
        yield code.replace("_", " ")


def _offered(seen: Mapping[str, Any]) -> Iterator[str]:
    yield " ".join(seen.get("extensions", ()))
    if seen.get("mechanisms"):
        yield f"login by {' '.join(seen['mechanisms'])}"
    if seen.get("sizeLimit"):
        yield f"at most {seen['sizeLimit']:,} octets"


def _protected(seen: Mapping[str, Any]) -> Iterator[str]:
    if "version" in seen:
        yield f"{seen['version']} {seen['cipher']}"
        yield "certificate verified" if seen["verified"] else "certificate not verified"
    yield seen.get("reply", "")
    certificate = seen.get("certificate")
    if certificate is not None:
        names = ", ".join(certificate["names"]) or certificate["subject"]
        yield f"for {names}"
        yield f"from {certificate['notBefore'][:10]} to {certificate['notAfter'][:10]}"
        yield f"by {certificate['issuer']}"
