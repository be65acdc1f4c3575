"""The test message that an administrator gets: which portal, which relay, which settings, when.

It looks like an ordinary message because it is one: with a text and an HTML part, a Date and a
Message-ID, and nothing that a spam filter would hold against it.
"""

from datetime import UTC, datetime, timedelta
from html import escape
from typing import NamedTuple

from smarthost.explanations.words import hidden_relay
from smarthost.mail.address import Address
from smarthost.mail.compose import compose
from smarthost.mail.draft import Draft
from smarthost.mail.envelope import Envelope, addressed
from smarthost.mail.mailbox import Mailbox

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
# RFC 3834, section 5.1: nobody's holiday notice answers it.
_AUTO_SUBMITTED = {"Auto-Submitted": "auto-generated"}

_DONE = "Mail from this portal goes out through the settings below."
_WHY = """\
An administrator of the portal asked for this message to try the settings.
There is nothing to answer."""

_HTML = """\
<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>{title}</title></head>
<body style="font-family: sans-serif; color: #222222; line-height: 1.5">
<h1 style="font-size: 1.25em">{title}</h1>
<p>{done}</p>
<table>
{rows}
</table>
<p style="color: #595959">{why}</p>
</body>
</html>
"""
_ROW = '<tr><th scope="row" style="text-align: left; padding-right: 1em">{}</th><td>{}</td></tr>'


class ShownRelay(NamedTuple):
    """A relay whose details the portal may see."""

    host: str
    port: int


def trial_message(
    *,
    portal_name: str,
    relay: ShownRelay | None,
    revision: int,
    sender: Address,
    sender_name: str | None,
    to: Address,
    message_id: str,
    at: int,
) -> Envelope:
    """Give the test message in its envelope, from the relay's sender to one person.

    `relay` None: the installation's relay, whose details are the operator's. `revision` is that of
    the portal's settings. `message_id` has its angle brackets. `at` are microseconds since 1970,
    UTC; the message shows whole seconds.

    Raises `ValueError` as `compose` does.
    """
    date = _EPOCH + timedelta(microseconds=at)
    title = f"Test message from {portal_name}"
    facts = {
        "Portal": portal_name,
        "Sent through": _relay(relay),
        "Settings": f"revision {revision}",
        "From": str(sender),
        "To": str(to),
        "Time": f"{date.day} {_MONTHS[date.month - 1]} {date:%Y, %H:%M:%S} UTC",
    }
    draft = Draft(
        from_=Mailbox(address=sender, display_name=sender_name),
        to=(Mailbox(address=to),),
        subject=title,
        text=_text(title, facts),
        html=_html(title, facts),
        headers=_AUTO_SUBMITTED,
        message_id=message_id,
        date=date,
    )
    return addressed(compose(draft), sender=sender, recipients=[to])


def _relay(relay: ShownRelay | None) -> str:
    if relay is None:
        return hidden_relay()
    return f"{relay.host}, port {relay.port}"


def _text(title: str, facts: dict[str, str]) -> str:
    rows = (f"{name + ':':<14}{value}" for name, value in facts.items())
    return "\n".join((title, "", _DONE, "", *rows, "", _WHY, ""))


def _html(title: str, facts: dict[str, str]) -> str:
    rows = (_ROW.format(escape(name), escape(value)) for name, value in facts.items())
    return _HTML.format(title=escape(title), done=_DONE, rows="\n".join(rows), why=_WHY)
