"""What is wrong with TLS or with a certificate."""

from collections.abc import Mapping

from smarthost.delivery.outcome import Code
from smarthost.delivery.relay import IMPLICIT_TLS_PORTS
from smarthost.explanations.failure import Facts, Who
from smarthost.explanations.rule import Rule


def _tls_came_first(facts: Facts) -> bool:
    return facts.relay is not None and facts.relay.port in IMPLICIT_TLS_PORTS


RULES: Mapping[Code, tuple[Rule, ...]] = {
    Code.TLS_UNAVAILABLE: (
        Rule(id="tls_unavailable", who=Who.ADMINISTRATOR, fields=("port", "enableSSL")),
    ),
    Code.TLS_REQUIRED: (Rule(id="tls_required", who=Who.ADMINISTRATOR, fields=("enableSSL",)),),
    Code.TLS_NOT_SPOKEN: (
        Rule(
            id="tls_not_spoken.at_once",
            who=Who.ADMINISTRATOR,
            fields=("port",),
            fits=_tls_came_first,
        ),
        Rule(id="tls_not_spoken", who=Who.PROVIDER, fields=("port",)),
    ),
    Code.TLS_TOO_OLD: (Rule(id="tls_too_old", who=Who.PROVIDER),),
    Code.TLS_FAILED: (Rule(id="tls_failed", who=Who.PROVIDER, fields=("port",)),),
    Code.STARTTLS_INJECTION: (Rule(id="starttls_injection", who=Who.PROVIDER, fields=("port",)),),
    Code.CERTIFICATE_UNTRUSTED: (
        Rule(id="certificate_untrusted", who=Who.PROVIDER, fields=("host",)),
    ),
    Code.CERTIFICATE_EXPIRED: (Rule(id="certificate_expired", who=Who.PROVIDER),),
    Code.CERTIFICATE_WRONG_NAME: (
        Rule(id="certificate_wrong_name", who=Who.ADMINISTRATOR, fields=("host",)),
    ),
}
