"""Tells the operator why mail does not go out: a line in the log for each attempt that failed.

Each reason of an attempt is one line, however many recipients it is for, in the words that people
read elsewhere. Nobody's address is in it: where the relay repeats the recipient's, the sender's or
another one, that is left out.
"""

import re
from collections.abc import Sequence

import msgspec
import structlog

from smarthost.delivery.outcome import Code, Result, Step
from smarthost.delivery.relay import RelaySettings
from smarthost.explanations.explain import explain
from smarthost.explanations.failure import Facts, RelayShown
from smarthost.mail_queue.model import Attempted, Claim

log = structlog.get_logger("smarthost.app")

_RECIPIENT = "[recipient]"
_SOMEBODY = "[address]"
# Also the beginning of one, where the reply was cut off.
_ADDRESS = re.compile(r"[^\s<>()\[\],;:\"']+@[^\s<>()\[\],;:\"']+")


class _Reason(msgspec.Struct, frozen=True, kw_only=True):
    """Why recipients were not accepted; alike for those that share a line."""

    result: Result
    step: Step
    code: Code
    permanent: bool
    in_doubt: bool
    reply: str | None
    tls: str | None


def log_attempt(claim: Claim, relay: RelaySettings | None, attempted: Sequence[Attempted]) -> None:
    """Write down the attempt for one message; `relay` is None where none was found."""
    counts: dict[_Reason, int] = {}
    for one in attempted:
        if one.code is not None:
            reason = _reason(one, one.code)
            counts[reason] = counts.get(reason, 0) + 1
    for reason, recipients in counts.items():
        _warn(claim, relay, reason, recipients)
    accepted = len(attempted) - sum(counts.values())
    if accepted:
        log.debug("message handed over", recipients=accepted, **_where(claim, relay))


def _warn(claim: Claim, relay: RelaySettings | None, reason: _Reason, recipients: int) -> None:
    failure = explain(
        Facts(
            step=reason.step,
            code=reason.code,
            permanent=reason.permanent,
            reply=reason.reply,
            relay=None if relay is None else _shown(relay),
            in_doubt=reason.in_doubt,
            tls=reason.tls,
        )
    )
    log.warning(
        "attempt failed",
        result=reason.result.value,
        step=reason.step.value,
        code=reason.code.value,
        title=failure.title,
        permanent=reason.permanent,
        reply=reason.reply,
        recipients=recipients,
        **_where(claim, relay),
    )


def _where(claim: Claim, relay: RelaySettings | None) -> dict[str, object]:
    return {
        "portal_id": claim.portal_id,
        "message_id": claim.message_id,
        "relay_host": None if relay is None else relay.host,
        "relay_port": None if relay is None else relay.port,
    }


def _reason(one: Attempted, code: Code) -> _Reason:
    return _Reason(
        result=one.result,
        step=one.step,
        code=code,
        permanent=one.permanent,
        in_doubt=one.in_doubt,
        reply=None if one.reply is None else _without(one.reply, one.address),
        tls=one.tls,
    )


def _without(reply: str, address: str) -> str:
    unnamed = re.sub(re.escape(address), _RECIPIENT, reply, flags=re.IGNORECASE)
    return _ADDRESS.sub(_SOMEBODY, unnamed)


def _shown(relay: RelaySettings) -> RelayShown:
    return RelayShown(
        host=relay.host,
        port=relay.port,
        enable_ssl=relay.enable_ssl,
        enable_auth=relay.enable_auth,
        use_ntlm=relay.use_ntlm,
    )
