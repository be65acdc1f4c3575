"""What has nothing to do with the relay."""

from collections.abc import Mapping

from smarthost.delivery.outcome import Code
from smarthost.explanations.failure import Who
from smarthost.explanations.text import Text

TEXTS: Mapping[Code, tuple[Text, ...]] = {
    Code.NO_RELAY: (
        Text(
            title="No mail server is saved",
            why="The portal has no settings of its own, and this installation has no default.",
            fix="Enter a mail server (host) and a sender address (senderAddress), and save them.",
            who=Who.ADMINISTRATOR,
            fields=("host", "senderAddress"),
            for_everybody=True,
        ),
    ),
    Code.SETTINGS_CHANGED: (
        Text(
            title="The settings were changed meanwhile",
            why="",  # the contract fixes the whole sentence
            fix="Start the test again.",
            who=Who.ADMINISTRATOR,
            for_everybody=True,
        ),
    ),
    Code.INTERRUPTED: (
        Text(
            title="The sending was interrupted",
            why="Smarthost stopped or was started anew in the middle of it.",
            fix="Start the test again.",
            who=Who.ADMINISTRATOR,
            for_everybody=True,
        ),
    ),
    Code.INTERNAL: (
        Text(
            title="Smarthost made a mistake",
            why="A fault of its own has stopped it, not one of the settings.",
            fix="Try again. The operator of this installation finds the fault in the log.",
            who=Who.OPERATOR,
            for_everybody=True,
        ),
    ),
}
