"""What can be wrong with a sign-in by OAuth2, at the provider and at its relay."""

from functools import partial
from typing import Any

from smarthost.delivery.outcome import Code, Step
from smarthost.secret import Secret
from smarthost.smtp_settings.binding.model import BindingInput
from smarthost.smtp_settings.oauth2 import Grant
from tests.broken_setups.servers import Offers, TokensSay, scripted
from tests.broken_setups.set_up import BrokenSetUp, Server, SignIn
from tests.oauth2_provider import CLIENT_ID, CLIENT_SECRET, SCOPE, Provider, page

_MAILBOX = "notify@example.com"
_TAKES_TOKENS = scripted("`AUTH XOAUTH2`", partial(Offers, mechanisms="XOAUTH2"))


def _typed(provider: Provider, grant: Grant, **changes: Any) -> BindingInput:
    given = {
        "grant": grant,
        "token_url": provider.token_url,
        "scope": SCOPE,
        "client_id": CLIENT_ID,
        "client_secret": Secret(CLIENT_SECRET),
        "user_name": _MAILBOX,
    }
    return BindingInput(**{**given, **changes})


def _application(provider: Provider, **changes: Any) -> BindingInput:
    return _typed(provider, Grant.CLIENT_CREDENTIALS, **changes)


def _nobody_yet(provider: Provider) -> BindingInput:
    page_there = "https://login.example.com/authorize"
    return _typed(provider, Grant.AUTHORIZATION_CODE, authorization_url=page_there)


def _taken_back(provider: Provider) -> BindingInput:
    token = provider.new_refresh_token()
    provider.refresh_tokens.clear()
    return _typed(provider, Grant.REFRESH_TOKEN, refresh_token=Secret(token))


def _of_another_mailbox(provider: Provider) -> BindingInput:
    return _typed(
        provider,
        Grant.SERVICE_ACCOUNT,
        client_id="smarthost@project.example.com",
        client_secret=None,
        service_account=Secret(provider.new_account_key()),
        user_name="somebody@example.com",
    )


def _no_token(name: str, sign_in: SignIn, code: Code, *says: str, **rest: Any) -> BrokenSetUp:
    return BrokenSetUp(
        name=name,
        server=_TAKES_TOKENS,
        sign_in=sign_in,
        settings={"enable_auth": False},
        step=Step.AUTHENTICATE,
        code=code,
        fields=(),
        says=says,
        **{"permanent": True, **rest},
    )


def _not_taken(
    name: str, server: Server, code: Code, *says: str, fields: tuple[str, ...]
) -> BrokenSetUp:
    return BrokenSetUp(
        name=name,
        server=server,
        sign_in=SignIn("a provider that gives out tokens", _application),
        settings={"enable_auth": False},
        step=Step.AUTHENTICATE,
        code=code,
        fields=fields,
        says=says,
        permanent=True,
    )


SIGN_IN_ROWS = [
    _no_token(
        "Nobody has signed in at the provider yet",
        SignIn("the grant `authorization_code`, without a consent", _nobody_yet),
        Code.OAUTH2_CONSENT_NEEDED,
        "somebody has to sign in",
    ),
    _no_token(
        "The consent was taken back, or was not used for too long",
        SignIn("a provider that answers `invalid_grant` to a refresh token", _taken_back),
        Code.OAUTH2_CONSENT_NEEDED,
        "somebody has to sign in",
        "taken back",
    ),
    _no_token(
        "The secret of the application is wrong, or has ended",
        SignIn(
            "a provider that answers `invalid_client`",
            partial(_application, client_secret=Secret("another")),
        ),
        Code.OAUTH2_REFUSED,
        "secret",
        "invalid_client",
    ),
    _no_token(
        "The scope is one that the provider does not have",
        SignIn("a provider that answers `invalid_scope`", partial(_application, scope="mail")),
        Code.OAUTH2_REFUSED,
        "scope",
        "invalid_scope",
    ),
    _no_token(
        "The service account may not act as this mailbox",
        SignIn("a provider that verifies signed statements", _of_another_mailbox),
        Code.OAUTH2_REFUSED,
        "may not do this",
        "Invalid email or User ID",
    ),
    _no_token(
        "The provider is out of order",
        SignIn(
            "a provider that answers 503",
            _application,
            partial(Provider, instead=page(503, b"<html>Later</html>")),
        ),
        Code.OAUTH2_UNAVAILABLE,
        "does not answer",
        "status 503",
        permanent=False,
    ),
    _no_token(
        "The token URL is that of a page for people",
        SignIn(
            "a web server that answers HTML",
            _application,
            partial(Provider, instead=page(200, b"<html>Sign in</html>")),
        ),
        Code.OAUTH2_UNAVAILABLE,
        "check the token URL",
        permanent=False,
    ),
    _no_token(
        "The token URL has a typing error",
        SignIn(
            "a name server: no such name (NXDOMAIN)",
            partial(_application, token_url="https://mial.example.com/token"),
        ),
        Code.OAUTH2_UNAVAILABLE,
        "check the token URL",
        "host name does not exist",
        permanent=False,
    ),
    _not_taken(
        "The token is for something else than sending, or for another mailbox",
        scripted("`535` to `AUTH XOAUTH2`", TokensSay),
        Code.LOGIN_REFUSED,
        "does not accept the token",
        "scope",
        fields=("credentialsUserName",),
    ),
    _not_taken(
        "The server takes passwords alone",
        scripted("`AUTH PLAIN LOGIN`", partial(Offers, mechanisms="PLAIN LOGIN")),
        Code.LOGIN_NOT_OFFERED,
        "takes no sign-in with OAuth2",
        fields=("host", "port"),
    ),
]
