"""The only place that says which code a fault has, and what it means for the mail.

Three rules stand behind the table. What concerns the relay or the settings defers, since it is
mended without losing mail; only a refusal of this sender, this recipient or this message is final.
What is not understood is temporary. A name that cannot be looked up is temporary always: name
servers fail in every way.
"""

from collections.abc import Mapping

import msgspec

from smarthost.delivery.bearer_token import NoToken, NoTokenError
from smarthost.delivery.lack import Lack
from smarthost.delivery.outcome import Code, Result, Step
from smarthost.delivery.reply_words import (
    is_about_sender,
    is_about_this_machine,
    names,
    says_login_first,
    says_no_relaying,
    says_starttls,
    says_too_many,
)
from smarthost.smtp.egress import (
    DestinationForbiddenError,
    EgressError,
    RelayNotFoundError,
)
from smarthost.smtp.errors import Reason, RefusedError, SmtpError
from smarthost.smtp.reply import Reply

Fault = Reply | SmtpError | EgressError | Lack | NoTokenError
"""What an attempt can stumble over; a `Reply` is a negative one."""


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """What has to be known beside the fault."""

    tls: bool = False
    logged_in: bool = False
    helo_name: str = ""
    sender: str = ""
    recipient: str = ""
    """Of the command that was refused; empty for a fault of all recipients."""


class Verdict(msgspec.Struct, frozen=True):
    """The code, what it means for the recipient, and whether waiting is in vain."""

    code: Code
    result: Result = Result.DEFERRED
    permanent: bool = False


def classify(step: Step, fault: Fault, situation: Situation) -> Verdict:
    """Return what a fault in this step means."""
    if isinstance(fault, RefusedError):
        fault = fault.reply
    if isinstance(fault, Reply):
        return _of_reply(step, fault, situation)
    if isinstance(fault, SmtpError):
        return _of_reason(step, fault.reason)
    if isinstance(fault, Lack):
        return _LACKS[fault]
    if isinstance(fault, NoTokenError):
        return _NO_TOKEN[fault.why]
    return _of_egress(fault)


def _lasting(code: Code) -> Verdict:
    """Only a change of the settings or the relay helps; the mail waits for it."""
    return Verdict(code, permanent=True)


def _final(code: Code) -> Verdict:
    return Verdict(code, Result.REFUSED, permanent=True)


_LACKS: Mapping[Lack, Verdict] = {
    Lack.STARTTLS: _lasting(Code.TLS_UNAVAILABLE),
    Lack.LOGIN: _lasting(Code.LOGIN_NOT_OFFERED),
    Lack.BEARER_LOGIN: _lasting(Code.LOGIN_NOT_OFFERED),
    Lack.NTLM_ALLOWED: _lasting(Code.NTLM_SWITCHED_OFF),
    Lack.SIZE: _final(Code.MESSAGE_TOO_LARGE),
    Lack.SMTPUTF8: _final(Code.SMTPUTF8_UNSUPPORTED),
    Lack.EIGHT_BIT_MIME: _final(Code.EIGHT_BIT_UNSUPPORTED),
}

_NO_TOKEN: Mapping[NoToken, Verdict] = {
    NoToken.REFUSED: _lasting(Code.OAUTH2_REFUSED),
    NoToken.CONSENT_NEEDED: _lasting(Code.OAUTH2_CONSENT_NEEDED),
    NoToken.UNAVAILABLE: Verdict(Code.OAUTH2_UNAVAILABLE),
}

_REASONS: Mapping[Reason, Verdict] = {
    Reason.REFUSED: Verdict(Code.CONNECTION_REFUSED),
    Reason.UNREACHABLE: Verdict(Code.RELAY_UNREACHABLE),
    Reason.TIMED_OUT: Verdict(Code.TIMED_OUT),
    Reason.CLOSED: Verdict(Code.CONNECTION_CLOSED),
    Reason.UNTRUSTED: _lasting(Code.CERTIFICATE_UNTRUSTED),
    Reason.EXPIRED: _lasting(Code.CERTIFICATE_EXPIRED),
    Reason.WRONG_NAME: _lasting(Code.CERTIFICATE_WRONG_NAME),
    Reason.TOO_OLD: _lasting(Code.TLS_TOO_OLD),
    Reason.NOT_TLS: _lasting(Code.TLS_NOT_SPOKEN),
    Reason.TLS_FAILED: Verdict(Code.TLS_FAILED),
    Reason.INJECTED: Verdict(Code.STARTTLS_INJECTION),
}


def _of_reason(step: Step, reason: Reason) -> Verdict:
    if step is Step.RESOLVE:
        return Verdict(Code.NAME_LOOKUP_FAILED)
    return _REASONS.get(reason, Verdict(Code.PROTOCOL_ERROR))


def _of_egress(fault: EgressError) -> Verdict:
    match fault:
        case RelayNotFoundError():
            return Verdict(Code.RELAY_NOT_FOUND)
        case DestinationForbiddenError():
            return _lasting(Code.DESTINATION_FORBIDDEN)
        case _:
            return Verdict(Code.NAME_LOOKUP_FAILED)


# 421: RFC 5321, section 3.8. 521: RFC 7504.
_NO_SERVICE = frozenset({421, 521})
# Syntax, sequence, parameters: the relay and we do not understand each other, and the mail is not
# to blame.
_MISUNDERSTOOD = frozenset({500, 502, 503, 504, 555})
_WANTS_LOGIN = frozenset({530, 534, 535})  # RFC 4954, sections 4 and 6
_ACCOUNT_DISABLED = 525  # RFC 5248, with X.7.13: about whoever logs in, not about the mail
_WANTS_TLS = frozenset({523, 538})  # RFC 5248 and RFC 2554
_WANTS_TLS_DETAILS = frozenset({"7.10", "7.11"})
# RFC 3463 and its registry: congestion, and mail flood detected. With 5yz these are a day's quota,
# which passes too.
_TOO_MANY = frozenset({"4.5", "7.28"})
# Words are asked for with these alone: they say nothing closer, and others name what the words
# would be guessed from.
_MAY_MEAN_LOGIN = frozenset({"", "5.1", "7.0", "7.1"})
# Exchange's own: no relaying, no connector for this machine, direct send is off.
_NO_RELAYING = frozenset({"7.54", "7.64", "7.68"})


def _of_reply(step: Step, reply: Reply, situation: Situation) -> Verdict:
    if reply.code in _NO_SERVICE or is_about_this_machine(reply):
        return Verdict(Code.RELAY_UNAVAILABLE)
    match step:
        case Step.EHLO:
            return _of_ehlo(reply)
        case Step.TLS:
            return Verdict(Code.TLS_UNAVAILABLE, permanent=reply.code >= 500)
        case Step.AUTHENTICATE:
            return _of_login(reply, situation)
        case Step.SENDER | Step.RECIPIENT | Step.DATA:
            return _of_message(step, reply, situation)
        case _:
            return Verdict(Code.RELAY_UNAVAILABLE)


def _of_ehlo(reply: Reply) -> Verdict:
    if reply.code < 500:
        return Verdict(Code.RELAY_UNAVAILABLE)
    if reply.code in {500, 502}:  # no EHLO; a HELO in its place would lose TLS and login
        return Verdict(Code.PROTOCOL_ERROR)
    return _lasting(Code.HELO_REFUSED)


def _of_login(reply: Reply, situation: Situation) -> Verdict:
    if _wants_tls(reply, situation) or (reply.code == 530 and not situation.tls):
        return _lasting(Code.TLS_REQUIRED)
    # RFC 4954, section 6: the password has to be renewed first. Exchange Online says it of a
    # mailbox with too many connections as well, with 4.3.2.
    if reply.code == 432 and _detail(reply) in {"", "7.12"}:
        return _lasting(Code.LOGIN_REFUSED)
    if says_too_many(reply):
        return Verdict(Code.RATE_LIMITED)
    if reply.code < 500:
        return Verdict(Code.TEMPORARILY_REFUSED)
    if reply.code in _MISUNDERSTOOD:
        return _lasting(Code.LOGIN_NOT_OFFERED)
    return _lasting(Code.LOGIN_REFUSED)


def _of_message(step: Step, reply: Reply, situation: Situation) -> Verdict:
    verdict = _of_session(reply, situation)
    if verdict is not None:
        return verdict
    if _is_relaying_denied(step, reply, situation):
        return Verdict(Code.RELAYING_DENIED, permanent=reply.code >= 500)
    if _detail(reply) in _TOO_MANY or says_too_many(reply):
        return Verdict(Code.RATE_LIMITED)
    # RFC 5321, section 4.5.3.1.10: too many recipients is to be taken for temporary always.
    if reply.code < 500 or (step is Step.RECIPIENT and _detail(reply) == "5.3"):
        return Verdict(Code.TEMPORARILY_REFUSED)
    return _final(_refused(step, reply, situation))


def _of_session(reply: Reply, situation: Situation) -> Verdict | None:
    """Judge what was only now said about the session itself; None: it is about the mail."""
    if _wants_tls(reply, situation):
        return _lasting(Code.TLS_REQUIRED)
    if reply.code == _ACCOUNT_DISABLED:
        return _lasting(Code.LOGIN_REFUSED)
    if reply.code in _WANTS_LOGIN or _wants_login_in_words(reply, situation):
        # After a login, 530 contradicts the relay's own 235.
        return Verdict(Code.LOGIN_REQUIRED, permanent=not situation.logged_in)
    if names(reply, situation.helo_name):
        return Verdict(Code.HELO_REFUSED, permanent=reply.code >= 500)
    if reply.code in _MISUNDERSTOOD:
        return Verdict(Code.PROTOCOL_ERROR)
    return None


def _wants_tls(reply: Reply, situation: Situation) -> bool:
    if situation.tls:
        return False
    # RFC 3207, section 4, has 530 for "Must issue a STARTTLS command first"; others are met too.
    wanted = (
        reply.code in _WANTS_TLS or _detail(reply) in _WANTS_TLS_DETAILS or says_starttls(reply)
    )
    return wanted and reply.code >= 500


def _wants_login_in_words(reply: Reply, situation: Situation) -> bool:
    return (
        not situation.logged_in
        and reply.code >= 500
        and _detail(reply) in _MAY_MEAN_LOGIN
        and says_login_first(reply)
    )


def _is_relaying_denied(step: Step, reply: Reply, situation: Situation) -> bool:
    """Whether a relay refuses to deliver elsewhere, for the sake of who is asking.

    RFC 3463 has X.7.1, delivery not authorized: that is meant where the relay knows nobody here.
    Of the temporary codes only 454, since 450 4.7.1 is what relays with grey lists say.
    """
    if step is not Step.RECIPIENT or (reply.code < 500 and reply.code != 454):
        return False
    if says_no_relaying(reply) or _detail(reply) in _NO_RELAYING:
        return True
    return (
        not situation.logged_in
        and _detail(reply) == "7.1"
        and not _is_about_sender(reply, situation)
    )


_STEP_CODES: Mapping[Step, Code] = {
    Step.SENDER: Code.SENDER_REFUSED,
    Step.RECIPIENT: Code.RECIPIENT_REFUSED,
    Step.DATA: Code.MESSAGE_REFUSED,
}
# RFC 3463, RFC 6531 (6.7, 6.9), RFC 7372 (7.20 to 7.26), RFC 7505 (7.27), RFC 8617 (7.29).
# Exchange's own: 2.252 and 7.60, the login may not send as this sender.
_DETAIL_CODES: Mapping[str, Code] = {
    "1.7": Code.SENDER_REFUSED,
    "1.8": Code.SENDER_REFUSED,
    "7.27": Code.SENDER_REFUSED,
    "7.60": Code.SENDER_REFUSED,
    "2.252": Code.SENDER_REFUSED,
    "7.20": Code.MESSAGE_REFUSED,
    "7.21": Code.MESSAGE_REFUSED,
    "7.22": Code.MESSAGE_REFUSED,
    "7.23": Code.MESSAGE_REFUSED,
    "7.24": Code.MESSAGE_REFUSED,
    "7.25": Code.MESSAGE_REFUSED,
    "7.26": Code.MESSAGE_REFUSED,
    "7.29": Code.MESSAGE_REFUSED,
    "2.2": Code.RECIPIENT_REFUSED,
    "2.3": Code.MESSAGE_TOO_LARGE,
    "3.4": Code.MESSAGE_TOO_LARGE,
    "6.7": Code.SMTPUTF8_UNSUPPORTED,
    "6.9": Code.SMTPUTF8_UNSUPPORTED,
}
# RFC 3463 and RFC 7505 (1.10): about the destination, also where a relay says it of the message.
_OF_THE_DESTINATION = frozenset({"1.1", "1.2", "1.3", "1.4", "1.6", "1.10", "2.1"})


def _refused(step: Step, reply: Reply, situation: Situation) -> Code:
    detail = _detail(reply)
    if detail in _DETAIL_CODES:
        return _DETAIL_CODES[detail]
    if step is Step.DATA and detail in _OF_THE_DESTINATION:
        return Code.RECIPIENT_REFUSED
    # RFC 1870, section 6; behind RCPT it is the mailbox that has no room (RFC 5321, 4.2.2).
    if reply.code == 552 and not detail and step is not Step.RECIPIENT:
        return Code.MESSAGE_TOO_LARGE
    if step is Step.RECIPIENT and _is_about_sender(reply, situation):
        return Code.SENDER_REFUSED
    return _STEP_CODES[step]


def _is_about_sender(reply: Reply, situation: Situation) -> bool:
    return is_about_sender(reply, sender=situation.sender, recipient=situation.recipient)


def _detail(reply: Reply) -> str:
    """Return subject and detail of the enhanced code, `7.1` of `5.7.1`; else nothing."""
    return (reply.enhanced or "").partition(".")[2]
