"""`settings oauth2`: a token in place of the relay's password, by the rules of the API.

Secrets come from files or standard input, never from an argument.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from smarthost.cli.exit_codes import UsageError
from smarthost.cli.installation import run
from smarthost.cli.oauth2_options import (
    AuthorizationUrl,
    ClientId,
    ClientSecretFile,
    GrantName,
    Provider,
    RefreshTokenFile,
    Scope,
    ServiceAccountFile,
    Subject,
    Tenant,
    TokenUrl,
)
from smarthost.cli.options import AsJson, OnBehalf, PortalName
from smarthost.cli.password_input import STDIN, secret_in
from smarthost.cli.printing import print_json, print_table
from smarthost.cli.typed_settings import IfRevision, UserName, only

if TYPE_CHECKING:
    from smarthost.app.parts import Parts
    from smarthost.config import Config
    from smarthost.smtp_settings.binding.model import BindingInput, BindingStatus
    from smarthost.web.api.smtp_oauth2_dto import SmtpOAuth2Dto

_SECRETS = {
    "client_secret": "--client-secret-file",
    "refresh_token": "--refresh-token-file",
    "service_account": "--service-account-file",
}
_OPTIONS = {
    "grant": "--grant",
    "provider": "--provider",
    "tenant": "--tenant",
    "client_id": "--client-id",
    "authorization_url": "--authorization-url",
    "token_url": "--token-url",
    "scope": "--scope",
    "user_name": "--user-name",
    "subject": "--subject",
    **_SECRETS,
    "enable_ssl": "--ssl of settings save",
    "use_ntlm": "--ntlm of settings save",
}
"""The fields of `BindingInput`, and of the settings in force, by the options that give them."""


def show(*, portal: PortalName = None, as_json: AsJson = False) -> None:
    """Show how OAuth2 stands; a secret is never shown."""

    async def work(config: "Config", parts: "Parts") -> "BindingStatus":
        from smarthost.cli.choices import chosen_portal

        return await parts.bindings.status((await chosen_portal(config, parts, portal)).id)

    _print(run(work), as_json=as_json)


def bind(  # noqa: PLR0913 - one option for each field
    *,
    grant: GrantName = None,
    provider: Provider = None,
    tenant: Tenant = None,
    client_id: ClientId = None,
    client_secret_file: ClientSecretFile = None,
    refresh_token_file: RefreshTokenFile = None,
    service_account_file: ServiceAccountFile = None,
    authorization_url: AuthorizationUrl = None,
    token_url: TokenUrl = None,
    scope: Scope = None,
    user_name: UserName = None,
    subject: Subject = None,
    if_revision: IfRevision = None,
    portal: PortalName = None,
    as_user: OnBehalf = None,
    as_json: AsJson = False,
) -> None:
    """Log in to the relay of the settings in force by OAuth2.

    They need TLS. No connection is made. A FILE may be `-` for standard input. A secret that is
    not given stays, if host, port, user name, token URL and application are the same.
    """
    from smarthost.smtp_settings.binding.model import BindingInput

    files = {
        "client_secret": client_secret_file,
        "refresh_token": refresh_token_file,
        "service_account": service_account_file,
    }
    if list(files.values()).count(STDIN) > 1:
        raise UsageError("Standard input holds one secret. Give the others by files.")
    secrets = {name: secret_in(file, _SECRETS[name]) for name, file in files.items()}
    typed = BindingInput(
        grant=grant,
        provider=provider,
        tenant=tenant,
        client_id=client_id,
        authorization_url=authorization_url,
        token_url=token_url,
        scope=scope,
        user_name=user_name,
        subject=subject,
        **secrets,
    )
    with _faults_by_option():
        bound = run(partial(_bind, typed, portal, as_user, only(if_revision)))
    _print(bound, as_json=as_json)


def remove(
    *,
    if_revision: IfRevision = None,
    portal: PortalName = None,
    as_user: OnBehalf = None,
    as_json: AsJson = False,
) -> None:
    """End OAuth2; the relay stays, and is not logged in to any more."""

    async def work(config: "Config", parts: "Parts") -> "BindingStatus":
        from smarthost.cli.choices import actor, chosen_portal

        chosen = await chosen_portal(config, parts, portal)
        by = await actor(parts, chosen, as_user)
        await parts.bindings.end(chosen.id, by, only(if_revision))
        return await parts.bindings.status(chosen.id)

    _print(run(work), as_json=as_json)


async def _bind(
    typed: "BindingInput",
    portal: str | None,
    as_user: str | None,
    if_match: frozenset[int] | None,
    config: "Config",
    parts: "Parts",
) -> "BindingStatus":
    from smarthost.cli.choices import actor, chosen_portal

    chosen = await chosen_portal(config, parts, portal)
    by = await actor(parts, chosen, as_user)
    await parts.bindings.bind(chosen.id, typed, by, if_match)
    return await parts.bindings.status(chosen.id)


@contextmanager
def _faults_by_option() -> Iterator[None]:
    from smarthost.smtp_settings.model import InvalidSettingsError

    try:
        yield
    except InvalidSettingsError as error:
        lines = (f"{_OPTIONS[field]}: {' '.join(told)}" for field, told in error.faults.items())
        raise UsageError("\n".join(lines)) from None


def _print(status: "BindingStatus", *, as_json: bool) -> None:
    from smarthost.web.api.smtp_oauth2_dto import oauth2_dto

    answer = oauth2_dto(status)
    if as_json:
        print_json(answer)
    else:
        print_table(("OAUTH2", "VALUE"), list(_rows(answer)))


def _rows(answer: "SmtpOAuth2Dto") -> Iterator[tuple[str, str]]:
    import msgspec

    from smarthost.cli.rows import shown_time

    for field in msgspec.structs.fields(answer):
        value = getattr(answer, field.name)
        if value is msgspec.UNSET:
            continue
        name = field.name.replace("_", " ")
        if field.name == "failure":
            yield name, f"{value.title}. {value.why}"
            yield "what to do", value.fix
            if value.reply is not msgspec.UNSET:
                yield "the provider said", value.reply
        elif field.name.endswith("_at"):
            yield name, shown_time(value)
        else:
            yield name, str(value)
