"""The options of `send`: an e-mail as it is typed, and as sendmail's callers give theirs."""

from pathlib import Path
from typing import Annotated

import typer

_FEW_LETTERS = 'A "." alone on a line never ends the message here: taken for sendmail\'s sake.'

Emails = Annotated[list[str] | None, typer.Argument(metavar="EMAIL", help="As --to.")]
To = Annotated[
    list[str] | None,
    typer.Option("--to", metavar="EMAIL", help="A recipient, with or without a name. Repeatable."),
]
Cc = Annotated[
    list[str] | None,
    typer.Option("--cc", "-c", metavar="EMAIL", help="One who gets a copy. Repeatable."),
]
Bcc = Annotated[
    list[str] | None,
    typer.Option(
        "--bcc", "-b", metavar="EMAIL", help="One whom the others do not see. Repeatable."
    ),
]
Sender = Annotated[
    str | None,
    typer.Option(
        "--from",
        "-f",
        metavar="EMAIL",
        help="Whom it is from. [default: the sender of the portal's settings]",
    ),
]
ReplyTo = Annotated[
    list[str] | None,
    typer.Option(metavar="EMAIL", help="Where answers go. Repeatable."),
]
Subject = Annotated[str | None, typer.Option("--subject", "-s", metavar="TEXT")]
Text = Annotated[
    str | None,
    typer.Option(metavar="TEXT", help="The text. [default: standard input]"),
]
TextFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="The text is in this file; - as above.")
]
HtmlFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="The same as HTML, or only HTML.")
]
Attach = Annotated[
    list[Path] | None, typer.Option(metavar="FILE", help="A file to send along. Repeatable.")
]
Header = Annotated[
    list[str] | None,
    typer.Option(metavar="'NAME: VALUE'", help="A further header. Repeatable."),
]
At = Annotated[
    str | None,
    typer.Option(
        metavar="WHEN",
        help="Not before then: 'in 2 hours', or 2026-12-24T08:00+01:00 (without a zone: UTC).",
    ),
]
IdempotencyKey = Annotated[
    str | None,
    typer.Option(
        metavar="KEY",
        help="Send it once, however often the same line is typed with the same key.",
    ),
]
Mime = Annotated[
    bool,
    typer.Option(
        "--mime", help="Standard input is a whole message with its header, as for sendmail."
    ),
]
ReadRecipients = Annotated[
    bool,
    typer.Option(
        "--read-recipients",
        "-t",
        help="The same, and it goes to those of its To, Cc and Bcc; Bcc is taken out.",
    ),
]
IgnoreDots = Annotated[bool, typer.Option("-i", help=_FEW_LETTERS)]
SendmailOptions = Annotated[
    list[str] | None, typer.Option("-o", metavar="X", help="As -i: -oi, -oem.")
]
Wait = Annotated[
    bool,
    typer.Option("--wait", help="Follow it to its end; exits with 1 if anybody does not get it."),
]
Owner = Annotated[
    str | None,
    typer.Option(
        "--as",
        metavar="EMAIL",
        help="The user whose message it is, and who sees it then. [default: nobody's]",
    ),
]
