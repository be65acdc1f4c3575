import email
import email.policy

import pytest

from smarthost.delivery.outcome import Code, Step
from smarthost.explanations.failure import RelayShown
from smarthost.mail.mailbox import parse_mailbox
from smarthost.mail_queue.holds.model import Hold
from smarthost.relay_health.health import failure_of
from smarthost.relay_health.notice import notice
from tests.clocks import START
from tests.relay_health.held import HOST, hold

SHOWN = RelayShown(host=HOST, port=587, enable_ssl=True, enable_auth=True)
HELD = hold("0197", START)


def written(held: Hold = HELD, relay: RelayShown | None = SHOWN) -> email.message.EmailMessage:
    content = notice(
        portal_name="acme",
        hold=held,
        failure=failure_of(held, relay),
        waiting=12,
        sender=parse_mailbox("Smarthost <smarthost@example.net>"),
        to=[parse_mailbox("ann@acme.example"), parse_mailbox("bob@acme.example")],
        message_id="<1@example.net>",
        at=START,
    )
    return email.message_from_bytes(content, policy=email.policy.default)


def text(message: email.message.EmailMessage) -> str:
    content: str = message.get_content()
    return content


def test_its_header_says_what_it_is_about() -> None:
    message = written()
    assert message["Subject"] == "Mail from acme is waiting"
    assert message["From"] == "Smarthost <smarthost@example.net>"
    assert message["To"] == "ann@acme.example, bob@acme.example"
    assert message["Auto-Submitted"] == "auto-generated"


@pytest.mark.parametrize(
    "said",
    [
        "Mail from the portal acme does not go out",
        f"{HOST} refused the login",
        "(credentialsUserName)",
        "You can mend it",
        "The mail server said: 535 5.7.8 No",
        f"{HOST}, port 587",
        "revision 1",
        "2026-01-01 00:00 UTC",
        "12 recipients",
        "Nothing is lost",
        "every 15 minutes",
    ],
)
def test_it_says_what_is_wrong_and_what_to_do(said: str) -> None:
    assert said in text(written())


def test_a_relay_that_is_away_is_tried_more_often() -> None:
    away = hold("0197", START, step=Step.CONNECT, code=Code.TIMED_OUT, permanent=False, reply=None)
    assert "every few minutes" in text(written(away))
    assert "mail server said" not in text(written(away))


def test_settings_without_a_relay_have_a_notice_too() -> None:
    none = hold("0197", START, code=Code.NO_RELAY, relay_host=None, relay_port=None, reply=None)
    assert "none" in text(written(none, relay=None))


@pytest.mark.parametrize("code", list(Code))
def test_each_failure_has_a_notice(code: Code) -> None:
    assert "Nothing is lost" in text(written(hold("0197", START, code=code)))


def test_it_has_the_link_that_says_more() -> None:
    held = hold("0197", START, reply="534 5.7.9 Application-specific password required.")
    said = text(written(held))
    assert "Google wants an app password." in said
    assert "More about it: https://support.google.com/accounts/answer/185833" in said.splitlines()
    assert "More about it" not in text(written())
