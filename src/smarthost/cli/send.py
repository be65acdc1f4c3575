"""`send`: hands a message to the queue, made from options or taken whole as sendmail takes it.

What is printed is the id that the message has everywhere; by then it is on the disk. Whoever wants
to know what becomes of it follows it with `--wait`, or looks at it later.
"""

import sys
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import typer

from smarthost.cli.email_options import (
    At,
    Attach,
    Bcc,
    Cc,
    Emails,
    Header,
    HtmlFile,
    IdempotencyKey,
    IgnoreDots,
    Mime,
    Owner,
    ReadRecipients,
    ReplyTo,
    Sender,
    SendmailOptions,
    Subject,
    Text,
    TextFile,
    To,
    Wait,
)
from smarthost.cli.exit_codes import ExitCode, UsageError
from smarthost.cli.installation import run
from smarthost.cli.options import AsJson, PortalName
from smarthost.cli.printing import print_json
from smarthost.cli.progress_bar import Show, delivering, progress_bar, say

if TYPE_CHECKING:
    from smarthost.app.parts import Parts
    from smarthost.cli.handing_in import HandedIn
    from smarthost.config import Config

_LONGEST_KEY = 256


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """What is to be done with the message."""

    handed_in: "HandedIn"
    portal: str | None
    as_json: bool


def send(  # noqa: PLR0913 - one option for each field
    recipients: Emails = None,
    *,
    to: To = None,
    cc: Cc = None,
    bcc: Bcc = None,
    sender: Sender = None,
    reply_to: ReplyTo = None,
    subject: Subject = None,
    text: Text = None,
    text_file: TextFile = None,
    html_file: HtmlFile = None,
    attach: Attach = None,
    header: Header = None,
    at: At = None,
    idempotency_key: IdempotencyKey = None,
    mime: Mime = False,
    read_recipients: ReadRecipients = False,
    _ignore_dots: IgnoreDots = False,
    _sendmail_options: SendmailOptions = None,
    wait: Wait = False,
    portal: PortalName = None,
    as_user: Owner = None,
    as_json: AsJson = False,
) -> None:
    """Send a message through the portal's settings, and print its id.

    It is in the queue, on the disk, when the id is printed; a running service delivers it. With
    --wait this command does so itself where none runs.
    """
    import socket

    from smarthost.cli.handing_in import HandedIn
    from smarthost.cli.typed_email import Typed, email_of, whole_email_of

    if idempotency_key is not None and not 1 <= len(idempotency_key) <= _LONGEST_KEY:
        raise UsageError(f"--idempotency-key: This takes 1 to {_LONGEST_KEY} characters.")
    typed = Typed(
        sender=sender,
        to=(*(recipients or ()), *(to or ())),
        cc=tuple(cc or ()),
        bcc=tuple(bcc or ()),
        reply_to=tuple(reply_to or ()),
        subject=subject,
        text=text,
        text_file=text_file,
        html_file=html_file,
        attach=tuple(attach or ()),
        header=tuple(header or ()),
        at=at,
    )
    if mime or read_recipients:
        email = whole_email_of(typed, read_recipients=read_recipients)
    else:
        email = email_of(typed)
    handed_in = HandedIn(
        typed=typed, email=email, as_user=as_user, idempotency_key=idempotency_key
    )
    asked = _Asked(handed_in=handed_in, portal=portal, as_json=as_json)
    if not wait:
        run(partial(_send, asked))
        return
    with progress_bar(shown=sys.stdout.isatty() and not as_json) as show:
        all_sent = run(partial(_send_and_follow, asked, show), machine_name=socket.getfqdn)
    if not all_sent:
        raise typer.Exit(ExitCode.NO)


async def _send(asked: _Asked, config: "Config", parts: "Parts") -> None:
    from smarthost.cli.choices import open_portal
    from smarthost.cli.handing_in import accept

    chosen = await open_portal(config, parts, asked.portal)
    message_id = await accept(asked.handed_in, chosen, parts)
    if asked.as_json:
        from smarthost.web.emails.answers import Sent

        print_json(Sent(id=message_id))
    else:
        typer.echo(message_id)


async def _send_and_follow(asked: _Asked, show: Show, config: "Config", parts: "Parts") -> bool:
    """Return whether all recipients got it, once it has ended."""
    from smarthost.cli.choices import open_portal
    from smarthost.cli.following import Following
    from smarthost.cli.handing_in import accept
    from smarthost.cli.message_values import attempts_of, email_value
    from smarthost.cli.message_words import ends
    from smarthost.mail_queue.model import State

    chosen = await open_portal(config, parts, asked.portal)
    async with delivering(parts):
        message_id = await accept(asked.handed_in, chosen, parts)
        if not asked.as_json:
            say(message_id)
        message = await Following(parts, show).to_its_end(chosen.id, message_id)
    if asked.as_json:
        print_json(await email_value(parts, message))
    else:
        for line in ends(message, await attempts_of(parts, message), parts.clock.now()):
            say(line)
    return all(one.state is State.SENT for one in message.recipients)
