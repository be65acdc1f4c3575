"""The golden table: what each fault in each step means, line by line."""

import pytest

from smarthost.delivery.classify import Fault, Situation, Verdict, classify
from smarthost.delivery.lack import Lack
from smarthost.delivery.outcome import Code, Result, Step
from smarthost.smtp.egress import (
    DestinationForbiddenError,
    NameLookupError,
    RelayNotFoundError,
)
from smarthost.smtp.errors import (
    ClosedError,
    ConnectError,
    ProtocolError,
    Reason,
    RefusedError,
    SmtpError,
    StartTlsInjectionError,
    TimedOutError,
    TlsError,
)
from smarthost.smtp.replies import ReplyReader
from smarthost.smtp.reply import Reply

CLEAR = Situation(
    helo_name="app.example.org", sender="from@example.org", recipient="to@example.net"
)
TLS = Situation(
    tls=True, helo_name="app.example.org", sender="from@example.org", recipient="to@example.net"
)
LOGGED_IN = Situation(
    tls=True,
    logged_in=True,
    helo_name="app.example.org",
    sender="from@example.org",
    recipient="to@example.net",
)

# An administrator tests with the sender's own address.
TO_ONESELF = Situation(
    tls=True,
    logged_in=True,
    helo_name="app.example.org",
    sender="from@example.org",
    recipient="From@example.org",
)

# deferred: a retry can help; lasting: deferred until somebody changes something; final: refused.
DEFERRED = (Result.DEFERRED, False)
LASTING = (Result.DEFERRED, True)
FINAL = (Result.REFUSED, True)

ON_A_LIST = "554 5.7.1 Service unavailable; Client host [192.0.2.7] blocked using zen.spamhaus.org"

# Postfix, where it asks the next server whether there is such a recipient.
UNDELIVERABLE = "550 5.1.1 <to@example.net>: undeliverable address: host mx.example.net[192.0.2.1]"


def reply(line: str) -> Reply:
    return next(iter(ReplyReader().feed(line.encode() + b"\r\n")))


REPLIES = [
    # What stands before the login.
    (Step.GREETING, CLEAR, "554 No SMTP service here", "relay_unavailable", DEFERRED),
    (Step.GREETING, CLEAR, "421 4.3.2 Too busy", "relay_unavailable", DEFERRED),
    (Step.GREETING, CLEAR, "521 Takes no mail", "relay_unavailable", DEFERRED),
    (Step.GREETING, CLEAR, "450 Later", "relay_unavailable", DEFERRED),
    (Step.EHLO, CLEAR, "500 What?", "protocol_error", DEFERRED),
    (Step.EHLO, CLEAR, "502 Not implemented", "protocol_error", DEFERRED),
    (Step.EHLO, CLEAR, "504 5.5.2 Need a full name", "helo_refused", LASTING),
    (Step.EHLO, CLEAR, "550 Who are you?", "helo_refused", LASTING),
    (Step.EHLO, CLEAR, "451 Later", "relay_unavailable", DEFERRED),
    # This machine's address is on a list: nothing that waiting mail could not outlive.
    (Step.EHLO, CLEAR, ON_A_LIST, "relay_unavailable", DEFERRED),
    (Step.SENDER, LOGGED_IN, ON_A_LIST, "relay_unavailable", DEFERRED),
    (Step.RECIPIENT, CLEAR, ON_A_LIST, "relay_unavailable", DEFERRED),
    (Step.RECIPIENT, LOGGED_IN, ON_A_LIST, "relay_unavailable", DEFERRED),
    (
        Step.RECIPIENT,
        LOGGED_IN,
        "550 5.7.606 Access denied, banned sending IP [192.0.2.7].",
        "relay_unavailable",
        DEFERRED,
    ),
    (
        Step.RECIPIENT,
        LOGGED_IN,
        f"550 5.1.1 <to@example.net>: host mx.example.net said: {ON_A_LIST}",
        "recipient_refused",
        FINAL,
    ),
    # Nor are other words that the relay passes on its own, nor those that an address is made of.
    (
        Step.RECIPIENT,
        LOGGED_IN,
        f"{UNDELIVERABLE} said: 554 5.7.1 <to@example.net>: Relay access denied",
        "recipient_refused",
        FINAL,
    ),
    (
        Step.RECIPIENT,
        CLEAR,
        f"{UNDELIVERABLE} said: 530 5.7.0 Must issue a STARTTLS command first",
        "recipient_refused",
        FINAL,
    ),
    (Step.RECIPIENT, CLEAR, "550 5.1.1 <to@starttls.example>: No", "recipient_refused", FINAL),
    (Step.SENDER, CLEAR, "550 5.1.8 <starttls@example.org>: No", "sender_refused", FINAL),
    (Step.SENDER, CLEAR, "550 No: starttls@example.org", "sender_refused", FINAL),
    (Step.SENDER, CLEAR, '550 <"auth first"@example.org>: No', "sender_refused", FINAL),
    (Step.TLS, CLEAR, "454 TLS not available", "tls_unavailable", DEFERRED),
    (Step.TLS, CLEAR, "500 What?", "tls_unavailable", LASTING),
    # The login.
    (Step.AUTHENTICATE, TLS, "535 5.7.8 Wrong", "login_refused", LASTING),
    (Step.AUTHENTICATE, TLS, "534 5.7.9 Too weak", "login_refused", LASTING),
    (Step.AUTHENTICATE, TLS, "550 5.7.1 Not you", "login_refused", LASTING),
    (Step.AUTHENTICATE, TLS, "501 5.5.2 Not base64", "login_refused", LASTING),
    (Step.AUTHENTICATE, TLS, "432 4.7.12 Transition needed", "login_refused", LASTING),
    (Step.AUTHENTICATE, TLS, "432 A password transition is needed", "login_refused", LASTING),
    (Step.AUTHENTICATE, TLS, "432 4.3.2 Too busy", "temporarily_refused", DEFERRED),
    (
        Step.AUTHENTICATE,
        TLS,
        "432 4.3.2 Concurrent connections limit exceeded.",
        "rate_limited",
        DEFERRED,
    ),
    (Step.AUTHENTICATE, TLS, "525 5.7.13 User account disabled", "login_refused", LASTING),
    (Step.AUTHENTICATE, TLS, "530 5.7.0 No", "login_refused", LASTING),
    (Step.AUTHENTICATE, TLS, "504 5.5.4 Unknown mechanism", "login_not_offered", LASTING),
    (Step.AUTHENTICATE, TLS, "502 No AUTH here", "login_not_offered", LASTING),
    (Step.AUTHENTICATE, TLS, "454 4.7.0 Later", "temporarily_refused", DEFERRED),
    (Step.AUTHENTICATE, TLS, "421 4.7.0 Too many failures", "relay_unavailable", DEFERRED),
    (Step.AUTHENTICATE, CLEAR, "538 5.7.11 Encrypt first", "tls_required", LASTING),
    (Step.AUTHENTICATE, CLEAR, "530 Must issue a STARTTLS first", "tls_required", LASTING),
    (Step.AUTHENTICATE, CLEAR, "535 5.7.11 Encrypt first", "tls_required", LASTING),
    # The session, said late.
    (Step.SENDER, TLS, "530 5.7.0 Authentication required", "login_required", LASTING),
    (Step.SENDER, LOGGED_IN, "530 5.7.0 Authentication required", "login_required", DEFERRED),
    (Step.RECIPIENT, TLS, "530 5.7.0 Authentication required", "login_required", LASTING),
    (Step.DATA, TLS, "530 5.7.0 Authentication required", "login_required", LASTING),
    (Step.SENDER, CLEAR, "530 5.7.0 Must issue a STARTTLS command", "tls_required", LASTING),
    (Step.SENDER, CLEAR, "523 5.7.10 Encrypt", "tls_required", LASTING),
    (Step.SENDER, CLEAR, "550 5.7.1 Must issue STARTTLS first", "tls_required", LASTING),
    (Step.SENDER, TLS, "550 5.7.1 Must issue STARTTLS first", "sender_refused", FINAL),
    (Step.SENDER, CLEAR, "451 4.7.1 Try STARTTLS", "temporarily_refused", DEFERRED),
    # An account that is closed is mended there, and its mail is not to blame.
    (Step.SENDER, LOGGED_IN, "525 5.7.13 User account disabled", "login_refused", LASTING),
    (Step.SENDER, LOGGED_IN, "525 5.7.1 Unauthorized IP address", "login_refused", LASTING),
    # Relays that have no code for it, or keep to none.
    (Step.SENDER, TLS, "550 Authentication required", "login_required", LASTING),
    (Step.SENDER, TLS, "553 authentication is required,smtp5", "login_required", LASTING),
    (Step.SENDER, TLS, "503 AUTH first (#5.5.1)", "login_required", LASTING),
    (Step.SENDER, LOGGED_IN, "550 Authentication required", "sender_refused", FINAL),
    (
        Step.RECIPIENT,
        TLS,
        "550 5.7.133 Group; authentication required; Not authenticated",
        "recipient_refused",
        FINAL,
    ),
    (Step.SENDER, TLS, "421 4.7.0 Bye", "relay_unavailable", DEFERRED),
    (Step.DATA, TLS, "521 Bye", "relay_unavailable", DEFERRED),
    (Step.RECIPIENT, TLS, "504 5.5.2 <APP.example.org>: Helo rejected", "helo_refused", LASTING),
    (Step.RECIPIENT, TLS, "450 4.7.1 <app.example.org>: Helo", "helo_refused", DEFERRED),
    (Step.SENDER, TLS, "503 Bad sequence", "protocol_error", DEFERRED),
    (Step.SENDER, TLS, "555 Unknown parameter", "protocol_error", DEFERRED),
    (Step.RECIPIENT, TLS, "500 What?", "protocol_error", DEFERRED),
    # The sender.
    (Step.SENDER, TLS, "550 5.7.1 Not your address", "sender_refused", FINAL),
    (Step.SENDER, TLS, "553 Not your address", "sender_refused", FINAL),
    (Step.SENDER, TLS, "501 5.1.7 Bad address", "sender_refused", FINAL),
    (Step.SENDER, TLS, "450 4.1.8 Domain not found", "temporarily_refused", DEFERRED),
    (Step.SENDER, TLS, "552 5.3.4 Too big", "message_too_large", FINAL),
    (Step.SENDER, TLS, "552 Too big", "message_too_large", FINAL),
    (Step.SENDER, TLS, "452 4.3.1 Disk full", "temporarily_refused", DEFERRED),
    (Step.SENDER, TLS, "550 5.6.7 ASCII only", "smtputf8_unsupported", FINAL),
    (Step.RECIPIENT, TLS, "550 5.1.8 Sender's domain not found", "sender_refused", FINAL),
    (Step.RECIPIENT, TLS, "554 5.7.1 <from@example.org>: No", "sender_refused", FINAL),
    (
        Step.RECIPIENT,
        LOGGED_IN,
        "553 5.7.1 <From@Example.org>: not owned",
        "sender_refused",
        FINAL,
    ),
    (
        Step.RECIPIENT,
        TO_ONESELF,
        "553 5.7.1 <from@example.org>: Sender address rejected: not owned by user y",
        "sender_refused",
        FINAL,
    ),
    (
        Step.RECIPIENT,
        TO_ONESELF,
        "550 5.1.1 <from@example.org>: Recipient address rejected: User unknown",
        "recipient_refused",
        FINAL,
    ),
    # The recipient.
    (Step.RECIPIENT, TLS, "550 5.1.1 No such user", "recipient_refused", FINAL),
    (Step.RECIPIENT, TLS, "550 No such user", "recipient_refused", FINAL),
    (Step.RECIPIENT, TLS, "556 5.1.10 Takes no mail", "recipient_refused", FINAL),
    (Step.RECIPIENT, TLS, "552 Full", "recipient_refused", FINAL),
    (Step.RECIPIENT, TLS, "552 5.2.2 Full", "recipient_refused", FINAL),
    (Step.RECIPIENT, TLS, "552 5.3.4 Too big", "message_too_large", FINAL),
    (Step.RECIPIENT, TLS, "452 4.2.2 Full", "temporarily_refused", DEFERRED),
    (Step.RECIPIENT, TLS, "452 4.5.3 Too many recipients", "temporarily_refused", DEFERRED),
    (Step.RECIPIENT, LOGGED_IN, "550 5.7.1 Blocked", "recipient_refused", FINAL),
    (Step.RECIPIENT, LOGGED_IN, "454 4.7.1 Relay denied", "temporarily_refused", DEFERRED),
    (Step.RECIPIENT, TLS, "554 5.7.1 <to@example.net>: Relay denied", "relaying_denied", LASTING),
    (Step.RECIPIENT, TLS, "454 4.7.1 <to@example.net>: Relay denied", "relaying_denied", DEFERRED),
    (Step.RECIPIENT, TLS, "450 4.7.1 Greylisted", "temporarily_refused", DEFERRED),
    (Step.RECIPIENT, TLS, "550 relay not permitted", "relaying_denied", LASTING),
    (Step.RECIPIENT, LOGGED_IN, "554 5.7.1 Relay access denied", "relaying_denied", LASTING),
    (Step.RECIPIENT, LOGGED_IN, "550 5.7.54 SMTP; Unable to relay", "relaying_denied", LASTING),
    (Step.RECIPIENT, TLS, "550 5.7.64 TenantAttribution", "relaying_denied", LASTING),
    (Step.RECIPIENT, TLS, "450 4.7.1 Relaying denied", "temporarily_refused", DEFERRED),
    # RFC 5321, section 4.5.3.1.10: even as an error for good.
    (Step.RECIPIENT, TLS, "552 5.5.3 Too many recipients", "temporarily_refused", DEFERRED),
    # RFC 7372: about the message, whichever command it answers.
    (Step.RECIPIENT, LOGGED_IN, "550 5.7.23 SPF", "message_refused", FINAL),
    (Step.RECIPIENT, LOGGED_IN, "550 5.7.26 Neither SPF nor DKIM", "message_refused", FINAL),
    # The message.
    (Step.DATA, TLS, "554 5.7.1 Spam", "message_refused", FINAL),
    (Step.DATA, TLS, "550 No", "message_refused", FINAL),
    (Step.DATA, TLS, "552 5.7.0 Blocked content", "message_refused", FINAL),
    (Step.DATA, TLS, "552 5.2.3 Too big", "message_too_large", FINAL),
    (Step.DATA, TLS, "552 Too big", "message_too_large", FINAL),
    (Step.DATA, TLS, "552 5.2.2 Full", "recipient_refused", FINAL),
    (Step.DATA, TLS, "550 5.1.1 No such user", "recipient_refused", FINAL),
    (Step.SENDER, TLS, "550 5.1.1 No such user", "sender_refused", FINAL),
    (Step.DATA, TLS, "554 5.2.252 SendAsDenied", "sender_refused", FINAL),
    (Step.DATA, TLS, "550 5.7.60 May not send as this sender", "sender_refused", FINAL),
    (Step.DATA, TLS, "451 4.3.0 Later", "temporarily_refused", DEFERRED),
    # Too much at once, also where a relay says it as an error for good.
    (Step.SENDER, TLS, "550 5.4.5 Daily quota", "rate_limited", DEFERRED),
    (Step.DATA, TLS, "450 4.7.28 Unusual rate", "rate_limited", DEFERRED),
    (Step.RECIPIENT, LOGGED_IN, "550 5.7.28 Flood", "rate_limited", DEFERRED),
    (Step.SENDER, TLS, "550 5.2.2 Submission quota exceeded", "rate_limited", DEFERRED),
    (Step.DATA, TLS, "550 5.7.1 Over your daily sending limit", "rate_limited", DEFERRED),
    (
        Step.DATA,
        TLS,
        "454 Throttling failure: Daily message quota exceeded",
        "rate_limited",
        DEFERRED,
    ),
    # A class that contradicts the code counts for nothing (RFC 2034).
    (Step.DATA, TLS, "450 5.7.1 No", "temporarily_refused", DEFERRED),
]

FAULTS: list[tuple[Step, Fault, str, tuple[Result, bool]]] = [
    (Step.RESOLVE, RelayNotFoundError(), "relay_not_found", DEFERRED),
    (Step.RESOLVE, NameLookupError(), "name_lookup_failed", DEFERRED),
    (Step.RESOLVE, TimedOutError(), "name_lookup_failed", DEFERRED),
    (Step.RESOLVE, DestinationForbiddenError(), "destination_forbidden", LASTING),
    (Step.CONNECT, ConnectError(Reason.REFUSED), "connection_refused", DEFERRED),
    (Step.CONNECT, ConnectError(Reason.UNREACHABLE), "relay_unreachable", DEFERRED),
    (Step.CONNECT, ConnectError(Reason.TIMED_OUT), "timed_out", DEFERRED),
    (Step.GREETING, TimedOutError(), "timed_out", DEFERRED),
    (Step.DATA, TimedOutError(), "timed_out", DEFERRED),
    (Step.GREETING, ClosedError(), "connection_closed", DEFERRED),
    (Step.DATA, ClosedError(), "connection_closed", DEFERRED),
    (Step.TLS, TlsError(Reason.UNTRUSTED), "certificate_untrusted", LASTING),
    (Step.TLS, TlsError(Reason.EXPIRED), "certificate_expired", LASTING),
    (Step.TLS, TlsError(Reason.WRONG_NAME), "certificate_wrong_name", LASTING),
    (Step.TLS, TlsError(Reason.TOO_OLD), "tls_too_old", LASTING),
    (Step.TLS, TlsError(Reason.NOT_TLS), "tls_not_spoken", LASTING),
    (Step.TLS, TlsError(Reason.TLS_FAILED), "tls_failed", DEFERRED),
    (Step.TLS, StartTlsInjectionError(), "starttls_injection", DEFERRED),
    (Step.GREETING, ProtocolError(Reason.BAD_CODE), "protocol_error", DEFERRED),
    (Step.EHLO, ProtocolError(Reason.LINE_TOO_LONG), "protocol_error", DEFERRED),
    (Step.AUTHENTICATE, ProtocolError(Reason.BAD_CHALLENGE), "protocol_error", DEFERRED),
    (Step.DATA, ProtocolError(Reason.UNEXPECTED_REPLY), "protocol_error", DEFERRED),
    (Step.TLS, Lack.STARTTLS, "tls_unavailable", LASTING),
    (Step.AUTHENTICATE, Lack.LOGIN, "login_not_offered", LASTING),
    (Step.AUTHENTICATE, Lack.NTLM_ALLOWED, "ntlm_switched_off", LASTING),
    (Step.SENDER, Lack.SIZE, "message_too_large", FINAL),
    (Step.SENDER, Lack.SMTPUTF8, "smtputf8_unsupported", FINAL),
    (Step.SENDER, Lack.EIGHT_BIT_MIME, "eight_bit_unsupported", FINAL),
]


@pytest.mark.parametrize(("step", "situation", "line", "code", "meaning"), REPLIES)
def test_a_reply_has_its_code_and_meaning(
    step: Step, situation: Situation, line: str, code: str, meaning: tuple[Result, bool]
) -> None:
    assert classify(step, reply(line), situation) == Verdict(Code(code), *meaning)


@pytest.mark.parametrize(("step", "fault", "code", "meaning"), FAULTS)
def test_a_fault_has_its_code_and_meaning(
    step: Step, fault: Fault, code: str, meaning: tuple[Result, bool]
) -> None:
    assert classify(step, fault, TLS) == Verdict(Code(code), *meaning)


def test_an_error_that_carries_a_reply_is_judged_by_the_reply() -> None:
    refused = RefusedError(reply("535 5.7.8 Wrong"))

    assert classify(Step.AUTHENTICATE, refused, TLS).code is Code.LOGIN_REFUSED


@pytest.mark.parametrize("step", Step)
@pytest.mark.parametrize("situation", [CLEAR, TLS, LOGGED_IN])
def test_every_negative_code_has_a_meaning_and_none_before_the_sender_is_final(
    step: Step, situation: Situation
) -> None:
    for code in [*range(400, 460), *range(500, 560)]:
        verdict = classify(step, reply(f"{code} No"), situation)

        assert verdict.result is not Result.ACCEPTED
        assert verdict.permanent or verdict.result is Result.DEFERRED
        if code < 500 or step not in {Step.SENDER, Step.RECIPIENT, Step.DATA}:
            assert verdict.result is Result.DEFERRED


@pytest.mark.parametrize("reason", Reason)
@pytest.mark.parametrize("step", Step)
def test_no_trouble_with_a_connection_is_final(step: Step, reason: Reason) -> None:
    verdict = classify(step, SmtpError(reason, "A fault."), TLS)

    assert verdict.result is Result.DEFERRED


@pytest.mark.parametrize("lack", Lack)
def test_every_lack_has_a_meaning(lack: Lack) -> None:
    assert classify(Step.SENDER, lack, TLS).permanent
