"""What keeps a connection from coming about, or breaks it off."""

from collections.abc import Mapping

from smarthost.delivery.outcome import Code, Step
from smarthost.delivery.relay import IMPLICIT_TLS_PORTS
from smarthost.explanations.failure import Facts, Who
from smarthost.explanations.rule import Rule, at


def _no_greeting_where_tls_comes_first(facts: Facts) -> bool:
    relay = facts.relay
    return (
        facts.step is Step.GREETING
        and relay is not None
        and relay.port in IMPLICIT_TLS_PORTS
        and not relay.enable_ssl
    )


def _no_greeting_where_starttls_is_expected(facts: Facts) -> bool:
    relay = facts.relay
    return (
        facts.step is Step.GREETING
        and relay is not None
        and relay.port not in IMPLICIT_TLS_PORTS
        and relay.enable_ssl
    )


RULES: Mapping[Code, tuple[Rule, ...]] = {
    Code.RELAY_NOT_FOUND: (Rule(id="relay_not_found", who=Who.ADMINISTRATOR, fields=("host",)),),
    Code.NAME_LOOKUP_FAILED: (
        Rule(id="name_lookup_failed", who=Who.OPERATOR, for_everybody=True),
    ),
    Code.DESTINATION_FORBIDDEN: (
        Rule(id="destination_forbidden", who=Who.OPERATOR, fields=("host",)),
    ),
    Code.CONNECTION_REFUSED: (
        Rule(id="connection_refused", who=Who.ADMINISTRATOR, fields=("port", "host")),
    ),
    Code.RELAY_UNREACHABLE: (
        Rule(id="relay_unreachable", who=Who.ADMINISTRATOR, fields=("host", "port", "enableSSL")),
    ),
    Code.TIMED_OUT: (
        Rule(
            id="timed_out.connect",
            who=Who.ADMINISTRATOR,
            fields=("host", "port", "enableSSL"),
            fits=at(Step.CONNECT),
        ),
        Rule(
            id="timed_out.greeting_tls_first",
            who=Who.ADMINISTRATOR,
            fields=("enableSSL", "port"),
            fits=_no_greeting_where_tls_comes_first,
        ),
        Rule(
            id="timed_out.greeting_starttls",
            who=Who.ADMINISTRATOR,
            fields=("port",),
            fits=_no_greeting_where_starttls_is_expected,
        ),
        Rule(
            id="timed_out.greeting",
            who=Who.ADMINISTRATOR,
            fields=("port",),
            fits=at(Step.GREETING),
        ),
        Rule(id="timed_out", who=Who.PROVIDER, for_everybody=True),
    ),
    Code.CONNECTION_CLOSED: (
        Rule(
            id="connection_closed.greeting",
            who=Who.ADMINISTRATOR,
            fields=("port", "enableSSL"),
            fits=at(Step.GREETING),
        ),
        Rule(id="connection_closed", who=Who.PROVIDER, for_everybody=True),
    ),
    Code.PROTOCOL_ERROR: (
        Rule(
            id="protocol_error.greeting",
            who=Who.ADMINISTRATOR,
            fields=("port", "host"),
            fits=at(Step.GREETING),
        ),
        Rule(id="protocol_error", who=Who.PROVIDER, for_everybody=True),
    ),
    Code.RELAY_UNAVAILABLE: (Rule(id="relay_unavailable", who=Who.PROVIDER, for_everybody=True),),
    Code.HELO_REFUSED: (Rule(id="helo_refused", who=Who.OPERATOR, for_everybody=True),),
}
