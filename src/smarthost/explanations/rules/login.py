"""What keeps Smarthost from logging in to a relay."""

from collections.abc import Mapping

from smarthost.delivery.outcome import Code
from smarthost.explanations.failure import Facts, Who
from smarthost.explanations.rule import Rule, login_is_on


def _ntlm_is_asked_for(facts: Facts) -> bool:
    return facts.relay is not None and facts.relay.use_ntlm


def _token_is_shown(facts: Facts) -> bool:
    return facts.relay is not None and facts.relay.oauth2


def _clear_connection(facts: Facts) -> bool:
    return facts.relay is not None and not facts.relay.enable_ssl and facts.tls is None


RULES: Mapping[Code, tuple[Rule, ...]] = {
    Code.LOGIN_NOT_OFFERED: (
        Rule(
            id="login_not_offered.oauth2",
            who=Who.ADMINISTRATOR,
            fields=("host", "port"),
            fits=_token_is_shown,
        ),
        Rule(
            id="login_not_offered.ntlm",
            who=Who.ADMINISTRATOR,
            fields=("useNtlm",),
            fits=_ntlm_is_asked_for,
        ),
        Rule(
            id="login_not_offered.clear",
            who=Who.ADMINISTRATOR,
            fields=("enableSSL", "enableAuth"),
            fits=_clear_connection,
        ),
        Rule(id="login_not_offered", who=Who.ADMINISTRATOR, fields=("port", "enableAuth")),
    ),
    Code.LOGIN_REFUSED: (
        Rule(
            id="login_refused.oauth2",
            who=Who.ADMINISTRATOR,
            fields=("credentialsUserName",),
            fits=_token_is_shown,
        ),
        Rule(
            id="login_refused",
            who=Who.ADMINISTRATOR,
            fields=("credentialsUserPassword", "credentialsUserName"),
        ),
    ),
    Code.LOGIN_REQUIRED: (
        Rule(
            id="login_required.logged_in",
            who=Who.PROVIDER,
            fields=("credentialsUserName",),
            fits=login_is_on,
        ),
        Rule(
            id="login_required",
            who=Who.ADMINISTRATOR,
            fields=("enableAuth", "credentialsUserName", "credentialsUserPassword"),
        ),
    ),
    Code.NTLM_SWITCHED_OFF: (
        Rule(id="ntlm_switched_off", who=Who.ADMINISTRATOR, fields=("useNtlm",)),
    ),
    Code.OAUTH2_REFUSED: (Rule(id="oauth2_refused", who=Who.ADMINISTRATOR),),
    Code.OAUTH2_CONSENT_NEEDED: (Rule(id="oauth2_consent_needed", who=Who.ADMINISTRATOR),),
    Code.OAUTH2_UNAVAILABLE: (Rule(id="oauth2_unavailable", who=Who.PROVIDER),),
    Code.PASSWORD_UNREADABLE: (
        Rule(id="password_unreadable", who=Who.ADMINISTRATOR, fields=("credentialsUserPassword",)),
    ),
}
