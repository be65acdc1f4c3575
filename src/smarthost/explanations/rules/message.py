"""Why a relay does not take this sender, this recipient or this message."""

from collections.abc import Mapping

from smarthost.delivery.outcome import Code, Step
from smarthost.explanations.failure import Who
from smarthost.explanations.rule import Rule, at, login_is_on

RULES: Mapping[Code, tuple[Rule, ...]] = {
    Code.SENDER_REFUSED: (
        Rule(
            id="sender_refused",
            who=Who.ADMINISTRATOR,
            fields=("senderAddress", "credentialsUserName"),
        ),
    ),
    Code.RELAYING_DENIED: (
        Rule(
            id="relaying_denied.logged_in",
            who=Who.PROVIDER,
            fields=("credentialsUserName",),
            fits=login_is_on,
        ),
        Rule(
            id="relaying_denied",
            who=Who.ADMINISTRATOR,
            fields=("enableAuth", "credentialsUserName", "credentialsUserPassword"),
        ),
    ),
    Code.RECIPIENT_REFUSED: (Rule(id="recipient_refused", who=Who.RECIPIENT, for_everybody=True),),
    Code.MESSAGE_REFUSED: (
        Rule(id="message_refused", who=Who.PROVIDER, fields=("senderAddress",)),
    ),
    Code.MESSAGE_TOO_LARGE: (Rule(id="message_too_large", who=Who.PROVIDER, for_everybody=True),),
    Code.SMTPUTF8_UNSUPPORTED: (
        Rule(id="smtputf8_unsupported", who=Who.ADMINISTRATOR, fields=("senderAddress",)),
    ),
    Code.EIGHT_BIT_UNSUPPORTED: (
        Rule(id="eight_bit_unsupported", who=Who.ADMINISTRATOR, for_everybody=True),
    ),
    Code.RATE_LIMITED: (Rule(id="rate_limited", who=Who.PROVIDER, for_everybody=True),),
    Code.TEMPORARILY_REFUSED: (
        Rule(
            id="temporarily_refused.login",
            who=Who.PROVIDER,
            for_everybody=True,
            fits=at(Step.AUTHENTICATE),
        ),
        Rule(id="temporarily_refused", who=Who.PROVIDER, for_everybody=True),
    ),
}
