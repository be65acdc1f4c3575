"""The words for OAuth2: what is sent and what is answered, field by field.

What a field may hold beyond its type is said by the rules in `smtp_settings/binding/rules.py`.
"""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from smarthost.clock import moment
from smarthost.relay_health.oauth2 import OAuth2State, oauth2_health
from smarthost.secret import Secret
from smarthost.smtp_settings.binding.model import BindingInput, BindingStatus
from smarthost.smtp_settings.binding.rules import LONGEST_SCOPE, LONGEST_SECRET
from smarthost.smtp_settings.binding.service_account import LONGEST_FILE
from smarthost.smtp_settings.binding.urls import LONGEST_URL
from smarthost.smtp_settings.oauth2 import Grant
from smarthost.web.api.smtp_settings_dto import Text
from smarthost.web.decoding import SecretDocument
from smarthost.web.failure_dto import FailureDto, failure_dto
from smarthost.web.operations import NEEDED, Example

Time = Annotated[datetime, Meta(tz=True)]
Url = Annotated[str, Meta(max_length=LONGEST_URL)]
Scope = Annotated[str, Meta(max_length=LONGEST_SCOPE)]
_KEPT = (
    "Empty or absent: the stored one stays if host, port, user name, token URL and application "
    "are unchanged."
)


class SmtpOAuth2Dto(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How the relay is logged in to by OAuth2. Fields without a value are left out."""

    state: Annotated[
        OAuth2State,
        Meta(
            description="`none`: it was never set up; `consent needed`: somebody has to sign in "
            "at the provider; `ready`; `failed`: the last request for a token has; `ended`: "
            "other settings took its place."
        ),
    ]
    revision: Annotated[int, Meta(ge=0, description="The revision of the settings in force.")]
    grant: Annotated[Grant | msgspec.UnsetType, Meta(description="How tokens are asked for.")] = (
        msgspec.UNSET
    )
    provider: Annotated[
        str | msgspec.UnsetType, Meta(description="The provider that the URLs are from.")
    ] = msgspec.UNSET
    tenant: Annotated[
        str | msgspec.UnsetType, Meta(description="The directory of the application.")
    ] = msgspec.UNSET
    client_id: Annotated[
        str | msgspec.UnsetType,
        Meta(description="The application, or the service account's e-mail address."),
    ] = msgspec.UNSET
    authorization_url: Annotated[
        str | msgspec.UnsetType, Meta(description="Where somebody signs in and consents.")
    ] = msgspec.UNSET
    token_url: Annotated[
        str | msgspec.UnsetType, Meta(description="Where tokens are given out.")
    ] = msgspec.UNSET
    scope: Annotated[str | msgspec.UnsetType, Meta(description="What a token is good for.")] = (
        msgspec.UNSET
    )
    user_name: Annotated[
        str | msgspec.UnsetType, Meta(description="Who logs in to the relay.")
    ] = msgspec.UNSET
    subject: Annotated[
        str | msgspec.UnsetType, Meta(description="Whom the service account acts as.")
    ] = msgspec.UNSET
    fetched_at: Annotated[
        Time | msgspec.UnsetType, Meta(description="When a token was last asked for, UTC.")
    ] = msgspec.UNSET
    expires_at: Annotated[
        Time | msgspec.UnsetType,
        Meta(description="When the token ends that was got then, UTC; it is renewed before."),
    ] = msgspec.UNSET
    failure: Annotated[
        FailureDto | msgspec.UnsetType,
        Meta(description="Why there is no token; `reply` is what the provider said."),
    ] = msgspec.UNSET
    ended_at: Annotated[Time | msgspec.UnsetType, Meta(description="When it was ended, UTC.")] = (
        msgspec.UNSET
    )
    ended_by: Annotated[str | msgspec.UnsetType, Meta(description="By whom.")] = msgspec.UNSET


class SmtpOAuth2RequestDto(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True
):
    """OAuth2 to set up for the relay in force. Names match without regard to ASCII case."""

    grant: Annotated[
        Grant | None,
        Meta(
            description="Needed. `client_credentials`: as the application itself; "
            "`authorization_code`: somebody consents in a browser; `refresh_token`: with one that "
            "was got elsewhere; `service_account`: by a statement signed with its key.",
            extra=NEEDED,
        ),
    ] = None
    provider: Annotated[
        Text | None,
        Meta(
            description="An id of the table of providers; URLs and scope that are not sent are "
            "taken from it. Null or absent: the provider that the relay's host belongs to."
        ),
    ] = None
    tenant: Annotated[
        Text | None, Meta(description="The directory of the application, at Microsoft.")
    ] = None
    client_id: Annotated[
        Text | None,
        Meta(description="The application's id. Not needed with a service account's file."),
    ] = None
    client_secret: Annotated[
        Secret | None,
        Meta(
            description=f"The application's secret. {_KEPT}",
            extra_json_schema={"maxLength": LONGEST_SECRET},
        ),
    ] = None
    refresh_token: Annotated[
        Secret | None,
        Meta(
            description=f"For the grant `refresh_token`. {_KEPT}",
            extra_json_schema={"maxLength": LONGEST_SECRET},
        ),
    ] = None
    service_account: Annotated[
        SecretDocument | None,
        Meta(
            description="For the grant `service_account`: Google's file, as an object or as its "
            f"text of at most {LONGEST_FILE} characters, or the private key alone in PEM. {_KEPT}"
        ),
    ] = None
    authorization_url: Annotated[
        Url | None, Meta(description="An https URL, for the grant `authorization_code`.")
    ] = None
    token_url: Annotated[Url | None, Meta(description="An https URL.")] = None
    scope: Annotated[Scope | None, Meta(description="Words with one blank between them.")] = None
    user_name: Annotated[
        Text | None,
        Meta(
            description="Needed. Who logs in to the relay: mostly a mailbox, which need not be "
            "the sender's.",
            extra=NEEDED,
        ),
    ] = None
    subject: Annotated[
        Text | None,
        Meta(description="Whom a service account acts as; null or absent: the user name."),
    ] = None

    def typed(self) -> BindingInput:
        """Return what was typed, for the rules."""
        document = self.service_account
        return BindingInput(
            grant=self.grant,
            provider=self.provider,
            tenant=self.tenant,
            client_id=self.client_id,
            authorization_url=self.authorization_url,
            token_url=self.token_url,
            scope=self.scope,
            user_name=self.user_name,
            subject=self.subject,
            client_secret=self.client_secret,
            refresh_token=self.refresh_token,
            service_account=None if document is None else document.text,
        )


def oauth2_dto(status: BindingStatus) -> SmtpOAuth2Dto:
    """Return how the state of OAuth2 is answered; never with a secret."""
    health, ended = oauth2_health(status), status.ended
    settings = status.in_force.settings
    oauth2 = None if settings is None else settings.oauth2
    told = {} if oauth2 is None else msgspec.structs.asdict(oauth2)
    if settings is not None and oauth2 is not None:
        told["user_name"] = settings.user_name
    return SmtpOAuth2Dto(
        state=health.state,
        revision=status.in_force.number,
        **{name: value for name, value in told.items() if value is not None},
        fetched_at=_moment(health.fetched_at),
        expires_at=_moment(health.expires_at),
        failure=msgspec.UNSET if health.failure is None else failure_dto(health.failure),
        ended_at=_moment(None if ended is None else ended.saved_at),
        ended_by=msgspec.UNSET if ended is None else ended.saved_by,
    )


def _moment(at: int | None) -> datetime | msgspec.UnsetType:
    return msgspec.UNSET if at is None else moment(at)


_MICROSOFT: dict[str, Any] = {
    "grant": "client_credentials",
    "provider": "microsoft-365",
    "tenant": "contoso.onmicrosoft.com",
    "clientId": "1b730954-1685-4b74-9bfd-dac224a7b894",
}
_REFRESHED: dict[str, Any] = {
    "grant": "refresh_token",
    "clientId": "smarthost",
    "tokenUrl": "https://login.example.net/token",
    "scope": "smtp.send",
    "userName": "notify@example.com",
}
BODY_EXAMPLES = {
    "microsoft": Example(
        summary="Microsoft 365, as an application",
        value=_MICROSOFT | {"clientSecret": "a secret", "userName": "notify@contoso.com"},
    ),
    "refresh": Example(
        summary="A provider that is not in the table, with a refresh token that was got elsewhere",
        value=_REFRESHED | {"clientSecret": "a secret", "refreshToken": "a refresh token"},
    ),
}
_READY: dict[str, Any] = {
    "state": "ready",
    "revision": 8,
    **_MICROSOFT,
    "tokenUrl": "https://login.microsoftonline.com/contoso.onmicrosoft.com/oauth2/v2.0/token",
    "scope": "https://outlook.office365.com/.default",
    "userName": "notify@contoso.com",
}
READY_EXAMPLE = Example(
    summary="Tokens are got",
    value=_READY
    | {
        "fetchedAt": "2026-11-22T17:57:53.921928Z",
        "expiresAt": "2026-11-22T18:57:53.921928Z",
    },
)
NEW_EXAMPLES = {
    "microsoft": Example(summary="It was just set up", value=_READY),
    "refresh": Example(summary="Likewise", value=_REFRESHED | {"state": "ready", "revision": 8}),
}
NONE_EXAMPLE = Example(summary="It was never set up", value={"state": "none", "revision": 7})
ENDED_EXAMPLE = Example(
    summary="A password took its place",
    value={
        "state": "ended",
        "revision": 9,
        "endedAt": "2026-11-22T18:04:11.302914Z",
        "endedBy": "anna@example.org",
    },
)
