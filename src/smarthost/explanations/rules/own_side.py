"""What has nothing to do with the relay."""

from collections.abc import Mapping

from smarthost.delivery.outcome import Code
from smarthost.explanations.failure import Who
from smarthost.explanations.rule import Rule

RULES: Mapping[Code, tuple[Rule, ...]] = {
    Code.NO_RELAY: (
        Rule(
            id="no_relay",
            who=Who.ADMINISTRATOR,
            fields=("host", "senderAddress"),
            for_everybody=True,
        ),
    ),
    Code.SETTINGS_CHANGED: (
        Rule(id="settings_changed", who=Who.ADMINISTRATOR, for_everybody=True),
    ),
    Code.INTERRUPTED: (Rule(id="interrupted", who=Who.ADMINISTRATOR, for_everybody=True),),
    Code.INTERNAL: (Rule(id="internal", who=Who.OPERATOR, for_everybody=True),),
}
