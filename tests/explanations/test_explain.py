"""What a person reads, and what a person must not."""

import itertools
import re

import msgspec
import pytest

from smarthost.delivery.outcome import Code, Step
from smarthost.explanations.explain import explain
from smarthost.explanations.failure import Facts, Recommended, RelayShown, Who

RELAY = RelayShown(host="mail.example.org", port=587, enable_ssl=True, enable_auth=True)
REPLY = "535 5.7.8 Username and password not accepted by mx7.example.org [192.0.2.7]"


def test_a_failure_says_title_why_fix_and_reply() -> None:
    failure = explain(
        Facts(
            step=Step.AUTHENTICATE,
            code=Code.LOGIN_REFUSED,
            permanent=True,
            reply=REPLY,
            relay=RELAY,
        )
    )

    assert failure.title == "mail.example.org refused the login"
    assert failure.who is Who.ADMINISTRATOR
    assert failure.fields == ("credentialsUserPassword", "credentialsUserName")
    assert failure.permanent
    assert failure.text == (
        "mail.example.org refused the login. "
        f"{failure.why} {failure.fix} The mail server said: {REPLY}"
    )


def test_a_failure_has_the_shape_that_every_surface_shows() -> None:
    facts = Facts(step=Step.CONNECT, code=Code.CONNECTION_REFUSED, relay=RELAY)

    shown = msgspec.to_builtins(explain(facts))

    assert list(shown) == [
        "step",
        "code",
        "title",
        "why",
        "fix",
        "who",
        "fields",
        "permanent",
    ]
    assert (shown["step"], shown["code"], shown["who"]) == (
        "connect",
        "connection_refused",
        "administrator",
    )


@pytest.mark.parametrize(("step", "code"), list(itertools.product(Step, Code)))
def test_a_hidden_relay_shows_nothing_of_itself(step: Step, code: Code) -> None:
    failure = explain(Facts(step=step, code=code, reply=REPLY, tls="TLSv1.3"))

    assert failure.reply is None
    assert not any(word in failure.text for word in ("mail.example.org", "192.0.2", "587", "{"))


def test_a_hidden_relay_is_the_installations_mail_server_and_its_operator_mends_it() -> None:
    failure = explain(Facts(step=Step.AUTHENTICATE, code=Code.LOGIN_REFUSED, permanent=True))

    assert failure.title == "The installation's mail server refused the login"
    assert failure.who is Who.OPERATOR
    assert failure.fields == ()
    assert failure.fix.endswith("report the code login_refused.")


def test_a_hidden_relay_changes_nothing_about_a_recipient_that_was_refused() -> None:
    failure = explain(Facts(step=Step.RECIPIENT, code=Code.RECIPIENT_REFUSED))

    assert failure.who is Who.RECIPIENT


def test_changed_settings_are_said_in_the_words_of_the_contract() -> None:
    failure = explain(Facts(step=Step.RESOLVE, code=Code.SETTINGS_CHANGED))

    assert failure.text == "The settings were changed meanwhile. Start the test again."


def test_no_relay_is_explained_by_the_fields_to_fill() -> None:
    failure = explain(Facts(step=Step.RESOLVE, code=Code.NO_RELAY))

    assert failure.text.startswith("No mail server is saved.")
    assert failure.fields == ("host", "senderAddress")


def test_a_message_in_doubt_may_have_arrived() -> None:
    failure = explain(Facts(step=Step.DATA, code=Code.TIMED_OUT, relay=RELAY, in_doubt=True))

    assert failure.why.endswith("may have arrived all the same.")


def relay(port: int, *, ssl: bool, auth: bool = True, ntlm: bool = False) -> RelayShown:
    return RelayShown(
        host="mail.example.org", port=port, enable_ssl=ssl, enable_auth=auth, use_ntlm=ntlm
    )


@pytest.mark.parametrize(
    ("step", "code", "to", "says"),
    [
        (Step.CONNECT, Code.TIMED_OUT, relay(25, ssl=False), "587 (port), now 25"),
        (Step.GREETING, Code.TIMED_OUT, relay(465, ssl=False), "Turn on TLS (enableSSL)"),
        (Step.GREETING, Code.TIMED_OUT, relay(587, ssl=True), "465 is usual for TLS from"),
        (Step.GREETING, Code.TIMED_OUT, relay(25, ssl=False), "is no mail server"),
        (Step.DATA, Code.TIMED_OUT, relay(25, ssl=False), "while it was given the message"),
        (Step.SENDER, Code.MESSAGE_TOO_LARGE, relay(25, ssl=True), "raise the limit"),
        (Step.GREETING, Code.PROTOCOL_ERROR, relay(80, ssl=False), "does not speak SMTP"),
        (Step.EHLO, Code.PROTOCOL_ERROR, relay(25, ssl=False), "after the greeting"),
        (Step.TLS, Code.TLS_NOT_SPOKEN, relay(465, ssl=True), "Try port 587"),
        (Step.TLS, Code.TLS_NOT_SPOKEN, relay(587, ssl=True), "Try port 465 with TLS"),
        (Step.AUTHENTICATE, Code.LOGIN_NOT_OFFERED, relay(25, ssl=False), "(enableSSL)"),
        (Step.AUTHENTICATE, Code.LOGIN_NOT_OFFERED, relay(25, ssl=True), "587 or 465"),
        (
            Step.AUTHENTICATE,
            Code.LOGIN_NOT_OFFERED,
            relay(25, ssl=True, ntlm=True),
            "Turn off NTLM (useNtlm)",
        ),
        (Step.SENDER, Code.LOGIN_REQUIRED, relay(25, ssl=True, auth=False), "(enableAuth)"),
        (Step.SENDER, Code.LOGIN_REQUIRED, relay(25, ssl=True), "although there was one"),
    ],
)
def test_the_advice_fits_the_settings(step: Step, code: Code, to: RelayShown, says: str) -> None:
    assert says in explain(Facts(step=step, code=code, relay=to)).text


@pytest.mark.parametrize("step", [step for step in Step if step is not Step.RESOLVE])
@pytest.mark.parametrize(
    "to", [relay(port, ssl=ssl) for port in (25, 465) for ssl in (False, True)]
)
def test_too_late_is_true_of_a_relay_that_is_silent_and_of_one_that_is_slow(
    step: Step, to: RelayShown
) -> None:
    failure = explain(Facts(step=step, code=Code.TIMED_OUT, relay=to))
    said = f"{failure.title}. {failure.why}"

    assert not re.search(r"nothing|silen|stopped", said)
    assert re.search(r"in time|too long", said)


def test_a_limit_of_the_relay_is_for_its_provider_to_raise_and_fits_a_test_message() -> None:
    failure = explain(Facts(step=Step.SENDER, code=Code.MESSAGE_TOO_LARGE, relay=RELAY))

    assert failure.who is Who.PROVIDER
    assert "test message" in failure.fix
    assert "Send a smaller" not in failure.text


def test_what_a_host_is_called_is_never_read_as_a_template() -> None:
    odd = RelayShown(host="{port}", port=25, enable_ssl=False, enable_auth=False)

    failure = explain(Facts(step=Step.RESOLVE, code=Code.RELAY_NOT_FOUND, relay=odd))

    assert failure.title == "{port} cannot be found"


def test_what_a_provider_recommends_has_its_page() -> None:
    gmail = RelayShown(host="smtp.gmail.com", port=25, enable_ssl=False, enable_auth=False)
    failure = explain(
        Facts(
            step=Step.CONNECT,
            code=Code.PROVIDER_RECOMMENDS_OTHER,
            relay=gmail,
            recommended=Recommended(provider="Gmail", port=465),
        )
    )

    assert failure.title == "Gmail recommends other settings for smtp.gmail.com"
    assert "port 465" in failure.fix
    assert failure.link == "https://support.google.com/mail/answer/185833"
