"""The rules of OAuth2 for a portal's relay, checked all at once.

Nothing here touches a network or a store. Where tokens are given out is taken from the table of
providers unless it is typed; which stored secrets stay is decided in `kept.py`.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

from smarthost.secret import Secret
from smarthost.smtp_settings.binding.kept import Stored, keeps_tokens, kept_secrets
from smarthost.smtp_settings.binding.model import (
    Binding,
    BindingInput,
    EndPoints,
    KnownEndPoints,
)
from smarthost.smtp_settings.binding.service_account import ServiceAccount
from smarthost.smtp_settings.binding.urls import LONGEST_URL, TENANT, https_url
from smarthost.smtp_settings.model import InvalidSettingsError
from smarthost.smtp_settings.oauth2 import Grant, OAuth2, OAuth2Secrets
from smarthost.smtp_settings.rules import Collected, one_line

LONGEST_SECRET = 16_384
"""Characters of a client secret or refresh token."""
LONGEST_SCOPE = 1000
"""Characters."""

# RFC 6749, appendix A: what an id or a secret is made of, and what a scope is.
_VISIBLE = re.compile(r"[\x20-\x7e]*\Z")
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*\Z")
_TENANT = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?\Z")

_ONLY_FOR: Mapping[str, frozenset[Grant]] = {
    "authorization_url": frozenset({Grant.AUTHORIZATION_CODE}),
    "client_secret": frozenset(
        {Grant.CLIENT_CREDENTIALS, Grant.AUTHORIZATION_CODE, Grant.REFRESH_TOKEN}
    ),
    "refresh_token": frozenset({Grant.REFRESH_TOKEN}),
    "service_account": frozenset({Grant.SERVICE_ACCOUNT}),
    "subject": frozenset({Grant.SERVICE_ACCOUNT}),
}
_NO_USER_NAME = "Who logs in to the relay is needed."


class Checked(NamedTuple):
    """A binding that may be saved."""

    user_name: str
    binding: Binding
    keeps_tokens: bool
    """A refresh token that came later than what is sealed goes with this one too."""


def check_binding(
    typed: BindingInput,
    account: ServiceAccount | None,
    stored: Stored,
    known: KnownEndPoints,
    *,
    unread: frozenset[str] = frozenset(),
) -> Checked:
    """Return the binding that `typed` asks for.

    `account` is what `service_account` was read as. Raises `InvalidSettingsError` with every
    wrong field, of `BindingInput` and of the settings in force. `unread` names the fields whose
    values here are stand-ins, since what was typed was no value at all, or is known to be wrong:
    whoever asks with some refuses in any case, and wants to know what else is wrong.
    """
    return _Check(typed, account, stored, known, unread).run()


class _Check:
    def __init__(
        self,
        typed: BindingInput,
        account: ServiceAccount | None,
        stored: Stored,
        known: KnownEndPoints,
        unread: frozenset[str],
    ) -> None:
        self._typed = typed
        self._account = account
        self._stored = stored
        self._known = known
        self._unread = unread
        self._faults = Collected()

    def run(self) -> Checked:
        self._look_at_the_relay()
        grant = self._typed.grant
        if grant is None:
            self._need("grant", "The grant is needed: how tokens are asked for.")
            self._look_at_what_every_grant_has()
            raise InvalidSettingsError(self._faults.faults)
        self._refuse_what_is_of_another(grant)
        oauth2 = self._oauth2(grant)
        user_name = self._needed_line("user_name", _NO_USER_NAME)
        secrets = self._secrets(oauth2, user_name)
        if self._faults.faults or self._unread:
            raise InvalidSettingsError(self._faults.faults)
        binding = Binding(oauth2=oauth2, secrets=secrets)
        return Checked(user_name, binding, keeps_tokens(self._stored, binding, user_name))

    def _look_at_the_relay(self) -> None:
        if not self._stored.settings.enable_ssl:
            self._faults.refuse(
                "enable_ssl", "A token is shown over TLS alone. Save the settings with TLS first."
            )
        if self._stored.settings.use_ntlm:
            self._faults.refuse(
                "use_ntlm", "NTLM has no place for a token. Save the settings without it first."
            )

    def _look_at_what_every_grant_has(self) -> None:
        self._needed_line("user_name", _NO_USER_NAME)
        self._end_points()
        self._tenant()

    def _refuse_what_is_of_another(self, grant: Grant) -> None:
        for field, grants in _ONLY_FOR.items():
            if getattr(self._typed, field) and grant not in grants:
                self._faults.refuse(field, f"The grant {grant} has no use for this. Leave it out.")

    def _oauth2(self, grant: Grant) -> OAuth2:
        typed, known = self._typed, self._end_points()
        tenant = self._tenant()
        has_page = grant is Grant.AUTHORIZATION_CODE
        page = None
        if has_page:
            page = self._url("authorization_url", known.authorization_url if known else "", tenant)
        token_url = self._url("token_url", known.token_url if known else "", tenant)
        scope = self._scope(_known_scope(known, grant))
        own = bool(typed.token_url and typed.scope and (typed.authorization_url or not has_page))
        return OAuth2(
            grant=grant,
            client_id=self._client_id(token_url),
            token_url=token_url,
            scope=scope,
            authorization_url=page,
            provider=known.provider if known and (typed.provider or not own) else None,
            tenant=tenant,
            subject=self._faults.parsed("subject", typed.subject or "", one_line, "") or None,
        )

    def _end_points(self) -> EndPoints | None:
        provider = self._faults.parsed("provider", self._typed.provider or "", one_line, "")
        if not provider:
            return self._known.of_host(self._stored.settings.host)
        known = self._known.of_provider(provider)
        if known is None:
            self._faults.refuse(
                "provider", "No provider with OAuth2 has this id; docs/oauth2.md lists them."
            )
        return known

    def _tenant(self) -> str | None:
        tenant = self._faults.parsed("tenant", self._typed.tenant or "", one_line, "")
        if tenant and _TENANT.match(tenant) is None:
            self._faults.refuse("tenant", "The tenant is a directory's id or domain name.")
        return tenant or None

    def _url(self, field: str, known: str, tenant: str | None) -> str:
        text = (getattr(self._typed, field) or "").strip(" ") or known
        if not text:
            self._need(field, "The URL is needed: the provider of this relay is not known.")
            return ""
        if TENANT in text and tenant is None:
            message = "The tenant is needed: the directory that the application is registered in."
            if message not in self._faults.faults.get("tenant", ()):
                self._need("tenant", message)
            return ""
        if len(text) > LONGEST_URL:
            self._faults.refuse(field, f"This may have at most {LONGEST_URL} characters.")
            return ""
        try:
            return https_url(text.replace(TENANT, tenant or ""))
        except ValueError as error:
            self._faults.refuse(field if getattr(self._typed, field) else "tenant", str(error))
            return ""

    def _scope(self, known: str | None) -> str:
        scope = (self._typed.scope or "").strip(" ") or known
        if not scope:
            self._need("scope", "The scope is needed: it is not known what this relay asks for.")
            return ""
        if len(scope) > LONGEST_SCOPE:
            self._faults.refuse("scope", f"This may have at most {LONGEST_SCOPE} characters.")
        elif _SCOPE.match(scope) is None:
            self._faults.refuse("scope", "A scope is words of ASCII with one blank between them.")
        return scope

    def _client_id(self, token_url: str) -> str:
        client_id = self._faults.parsed("client_id", self._typed.client_id or "", _visible, "?")
        account = self._account
        if account is None or account.client_email is None:
            if not client_id:
                self._need("client_id", "The id of the application is needed.")
            return client_id
        if client_id and client_id != account.client_email:
            self._faults.refuse("client_id", "This is not the client_email of the account's file.")
        if token_url and account.token_uri != token_url:
            self._faults.refuse(
                "service_account", "The token_uri of the account's file is not the token URL."
            )
        email = self._faults.parsed("service_account", account.client_email, _visible, "?")
        if not email:
            self._faults.refuse("service_account", "The account's file has an empty client_email.")
        return email

    def _secrets(self, oauth2: OAuth2, user_name: str) -> OAuth2Secrets:
        stored = kept_secrets(self._stored, oauth2, user_name)
        may = {field for field, grants in _ONLY_FOR.items() if oauth2.grant in grants}
        secrets = OAuth2Secrets(
            client_secret=self._secret("client_secret", stored.client_secret, may),
            refresh_token=self._secret("refresh_token", stored.refresh_token, may),
            private_key=self._private_key(stored.private_key, may),
        )
        if oauth2.grant is Grant.CLIENT_CREDENTIALS and not secrets.client_secret:
            self._need("client_secret", _not_stored("The client secret"))
        if oauth2.grant is Grant.REFRESH_TOKEN and not secrets.refresh_token:
            self._need("refresh_token", _not_stored("The refresh token"))
        if oauth2.grant is Grant.SERVICE_ACCOUNT and not secrets.private_key:
            self._need("service_account", _not_stored("The service account"))
        return secrets

    def _secret(self, field: str, stored: Secret | None, may: set[str]) -> Secret | None:
        typed: Secret | None = getattr(self._typed, field)
        if field not in may:
            return None
        if not typed:
            return stored
        text = typed.reveal()
        if len(text) > LONGEST_SECRET:
            self._faults.refuse(field, f"This may have at most {LONGEST_SECRET} characters.")
        elif _VISIBLE.match(text) is None:
            self._faults.refuse(field, "This has another character in it than visible ASCII.")
        return typed

    def _private_key(self, stored: Secret | None, may: set[str]) -> Secret | None:
        if "service_account" not in may:
            return None
        return stored if self._account is None else self._account.private_key

    def _needed_line(self, field: str, message: str) -> str:
        text: str = self._faults.parsed(field, getattr(self._typed, field) or "", one_line, "?")
        if not text:
            self._need(field, message)
        return text

    def _need(self, field: str, message: str) -> None:
        if field not in self._unread:
            self._faults.refuse(field, message)


def _known_scope(known: EndPoints | None, grant: Grant) -> str | None:
    if known is None:
        return None
    if grant is Grant.CLIENT_CREDENTIALS:
        return known.client_credentials_scope
    return known.scope


def _not_stored(what: str) -> str:
    return (
        f"{what} is needed: none is stored for this host, port, user name, token URL and "
        "application."
    )


def _visible(text: str) -> str:
    text = text.strip(" ")
    if _VISIBLE.match(text) is None:
        raise ValueError("This has another character in it than visible ASCII.")
    return text
