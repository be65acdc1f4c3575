"""Why a relay does not take this sender, this recipient or this message."""

from collections.abc import Mapping

from smarthost.delivery.outcome import Code, Step
from smarthost.explanations.failure import Who
from smarthost.explanations.text import LATER, Text, at

TEXTS: Mapping[Code, tuple[Text, ...]] = {
    Code.SENDER_REFUSED: (
        Text(
            title="{Server} does not accept the sender address",
            why="It lets mail be sent from certain addresses only.",
            fix="Check the sender address (senderAddress): often it has to be the one that the"
            " user name (credentialsUserName) belongs to.",
            who=Who.ADMINISTRATOR,
            fields=("senderAddress", "credentialsUserName"),
        ),
    ),
    Code.RELAYING_DENIED: (
        Text(
            title="{Server} does not pass on mail for this machine",
            why="It takes mail for this recipient only from those who log in, or from machines"
            " that it knows.",
            fix="Turn on the login (enableAuth) and enter user name (credentialsUserName) and"
            " password (credentialsUserPassword), or ask whoever runs the mail server to admit"
            " this machine.",
            who=Who.ADMINISTRATOR,
            fields=("enableAuth", "credentialsUserName", "credentialsUserPassword"),
        ),
    ),
    Code.RECIPIENT_REFUSED: (
        Text(
            title="{Server} does not accept the recipient",
            why="The mailbox may not exist or be full, or take no mail from this sender.",
            fix="Check the address of the recipient, and ask the recipient.",
            who=Who.RECIPIENT,
            for_everybody=True,
        ),
    ),
    Code.MESSAGE_REFUSED: (
        Text(
            title="{Server} did not accept the message",
            why="It looked at the message and turned it away, for example as spam.",
            fix="Check that the domain of the sender address (senderAddress) allows this mail"
            " server to send for it (SPF, DKIM), and ask whoever runs the mail server.",
            who=Who.PROVIDER,
            fields=("senderAddress",),
        ),
    ),
    Code.MESSAGE_TOO_LARGE: (
        Text(
            title="The message is larger than {server} allows",
            why="The server sets a limit to the size of one message.",
            fix="Ask whoever runs the mail server to raise the limit, or leave out attachments. A"
            " test message has none and only a few kilobytes: a limit below that lets hardly any"
            " mail through.",
            who=Who.PROVIDER,
            for_everybody=True,
        ),
    ),
    Code.SMTPUTF8_UNSUPPORTED: (
        Text(
            title="{Server} takes only addresses in plain ASCII letters",
            why="The address of the sender or of the recipient has other letters, for which the"
            " server would need the extension SMTPUTF8.",
            fix="Use addresses in plain ASCII letters, also for the sender (senderAddress).",
            who=Who.ADMINISTRATOR,
            fields=("senderAddress",),
        ),
    ),
    Code.EIGHT_BIT_UNSUPPORTED: (
        Text(
            title="{Server} takes only messages in 7-bit form",
            why="The message has letters beyond ASCII that are not encoded for such a server.",
            fix="Send the message encoded as quoted-printable or base64.",
            who=Who.ADMINISTRATOR,
            for_everybody=True,
        ),
    ),
    Code.RATE_LIMITED: (
        Text(
            title="{Server} has had too many messages",
            why="It takes only so many in a given time.",
            fix="Wait, and send less at once. A higher limit is for whoever runs the mail server"
            " to give.",
            who=Who.PROVIDER,
            for_everybody=True,
        ),
    ),
    Code.TEMPORARILY_REFUSED: (
        Text(
            title="{Server} could not check the login",
            why="It says that this will pass.",
            fix=LATER,
            who=Who.PROVIDER,
            for_everybody=True,
            fits=at(Step.AUTHENTICATE),
        ),
        Text(
            title="{Server} does not take the message yet",
            why="It says that this will pass. Some mail servers turn away a sender that they do"
            " not know for the first minutes.",
            fix="Try again in a quarter of an hour.",
            who=Who.PROVIDER,
            for_everybody=True,
        ),
    ),
}
