"""What works, but not as it should."""

from collections.abc import Mapping

from smarthost.delivery.outcome import Code
from smarthost.explanations.failure import Facts, Who
from smarthost.explanations.rule import Rule


def _says_which(facts: Facts) -> bool:
    return facts.relay is not None and facts.recommended is not None


RULES: Mapping[Code, tuple[Rule, ...]] = {
    Code.NOT_ENCRYPTED: (Rule(id="not_encrypted", who=Who.ADMINISTRATOR, fields=("enableSSL",)),),
    Code.PASSWORD_IN_CLEAR: (
        Rule(id="password_in_clear", who=Who.ADMINISTRATOR, fields=("enableSSL",)),
    ),
    Code.CERTIFICATE_NOT_VERIFIED: (
        Rule(id="certificate_not_verified", who=Who.ADMINISTRATOR, fields=("enableSSL",)),
    ),
    Code.CERTIFICATE_ENDS_SOON: (Rule(id="certificate_ends_soon", who=Who.PROVIDER),),
    Code.SENDER_OUTSIDE_LOGIN: (
        Rule(
            id="sender_outside_login",
            who=Who.ADMINISTRATOR,
            fields=("senderAddress", "credentialsUserName"),
        ),
    ),
    Code.PROVIDER_RECOMMENDS_OTHER: (
        Rule(
            id="provider_recommends_other.which",
            who=Who.ADMINISTRATOR,
            fields=("port", "enableSSL", "enableAuth"),
            fits=_says_which,
        ),
        Rule(
            id="provider_recommends_other",
            who=Who.ADMINISTRATOR,
            fields=("port", "enableSSL", "enableAuth"),
        ),
    ),
}
