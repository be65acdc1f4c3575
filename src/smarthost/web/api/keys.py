"""API keys: made, listed and revoked by their users; an administrator sees the whole portal's."""

import contextlib
from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from smarthost.clock import MICROSECONDS, Clock, moment
from smarthost.database.engine import StoreUnavailableError
from smarthost.mail.characters import hidden_character
from smarthost.portals.access import Action, authorize_key_permissions
from smarthost.portals.keys.last_use import LastUse
from smarthost.portals.keys.model import ApiKey
from smarthost.portals.keys.store import KeyStore
from smarthost.portals.model import Caller, NotFoundError, Permission, Role
from smarthost.web.errors import invalid_fields
from smarthost.web.operations import Answer, Call, Example, Operation

PATH = "/api/2.0/keys"
TAG = "API keys"
_DAY = 24 * 3600 * MICROSECONDS
_NAME = "A name is letters, digits, signs and blanks, 1 to 30 of them, and not blanks alone."

Time = Annotated[datetime, Meta(tz=True)]


class EmployeeDto(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The user whom a key belongs to."""

    id: UUID
    display_name: Annotated[str, Meta(description="The user's e-mail address.")]


class CreateApiKeyRequestDto(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True
):
    """A key to make."""

    name: Annotated[
        str, Meta(min_length=1, max_length=30, description="By which people know the key.")
    ]
    permissions: Annotated[
        list[Permission],
        Meta(
            min_length=1,
            description="What the key may be used for: `read` the GETs, `write` changes of the "
            "settings, `send` mail and nothing else, `*` everything.",
        ),
    ]
    expires_in_days: Annotated[
        Annotated[int, Meta(ge=1, le=365)] | None,
        Meta(description="When the key ends; null or absent: never."),
    ] = None

    def expires_at(self, now: int) -> int | None:
        """Return when the key ends if it is made at `now`, both in microseconds since 1970."""
        return None if self.expires_in_days is None else now + self.expires_in_days * _DAY


class ApiKeyResponseDto(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A key; `key`, the whole of it, is there only when it has just been made."""

    id: UUID
    name: str
    key: Annotated[
        str | msgspec.UnsetType, Meta(description="The whole key; shown this once.")
    ] = msgspec.UNSET
    key_postfix: Annotated[str, Meta(description="The key's last four characters.")]
    permissions: list[Permission]
    create_on: Annotated[Time, Meta(description="When it was made, UTC.")]
    create_by: EmployeeDto
    expires_at: Annotated[
        Time | msgspec.UnsetType, Meta(description="When it ends, UTC; absent: never.")
    ] = msgspec.UNSET
    last_used: Annotated[
        Time | msgspec.UnsetType,
        Meta(description="When it was last used, UTC, to the minute; absent: not yet."),
    ] = msgspec.UNSET
    is_active: Annotated[bool, Meta(description="False when it has expired.")]


_SHOWN = "sh_01a20468-4c81-7568-b9c7-f3a45b943b40_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
_KEY_EXAMPLE = {
    "id": "01a20468-4c81-7568-b9c7-f3a45b943b40",
    "name": "shop",
    "keyPostfix": "dHh8",
    "permissions": ["send"],
    "createOn": "2026-11-22T17:57:53.921928Z",
    "createBy": {
        "id": "01a20468-4c81-7d36-865a-0d8f97b80089",
        "displayName": "admin@example.com",
    },
    "expiresAt": "2027-02-20T17:57:53.921928Z",
    "isActive": True,
}


class KeysApi:
    """The end points."""

    def __init__(self, store: KeyStore, last_use: LastUse, clock: Clock) -> None:
        self._store = store
        self._last_use = last_use
        self._clock = clock

    async def create(self, call: Call[Caller]) -> Answer:
        """Make a key for the caller and show it this once."""
        body: CreateApiKeyRequestDto = call.body.checked()
        if faults := name_faults(body.name):
            raise invalid_fields({call.body.sent["name"]: faults})
        permissions = frozenset(body.permissions)
        authorize_key_permissions(permissions, call.caller)
        now = self._clock.now()
        key, token = await self._store.create(
            call.caller.user, body.name, permissions, body.expires_at(now), call.actor
        )
        return Answer(value=key_dto(key, now, token.text().reveal()))

    async def list_keys(self, call: Call[Caller]) -> Answer:
        """List the caller's keys, or all of the portal's for an administrator."""
        with contextlib.suppress(StoreUnavailableError):  # a list that is behind beats none
            await self._last_use.flush()
        if call.caller.user.role is Role.ADMINISTRATOR:
            keys = await self._store.of_portal(call.portal.id)
        else:
            keys = await self._store.of_user(call.caller.user)
        now = self._clock.now()
        return Answer(value=[key_dto(key, now) for key in keys])

    async def revoke(self, call: Call[Caller]) -> Answer:
        """Revoke a key: it is refused from the next request on."""
        administrator = call.caller.user.role is Role.ADMINISTRATOR
        owner = None if administrator else call.caller.user
        try:
            key_id = str(UUID(call.path["id"]))
        except ValueError:
            raise NotFoundError("There is no such key.") from None
        await self._store.revoke(call.portal.id, key_id, call.actor, owner)
        return Answer(value=True)

    def operations(self) -> list[Operation]:
        """Return the rows of the table of operations."""
        return [
            Operation(
                operation_id="createApiKey",
                method="POST",
                path=PATH,
                tag=TAG,
                summary="Make an API key",
                description="The key acts as its user, narrowed by its permissions. It is shown "
                "in this answer and never again.",
                handler=self.create,
                action=Action.MANAGE_KEYS,
                body=CreateApiKeyRequestDto,
                answer=ApiKeyResponseDto,
                may_conflict=True,
                body_examples={
                    "send": Example(
                        summary="A key that can only send mail, for 90 days",
                        value={"name": "shop", "permissions": ["send"], "expiresInDays": 90},
                    )
                },
                answer_examples={
                    "send": Example(summary="The new key", value=_KEY_EXAMPLE | {"key": _SHOWN})
                },
            ),
            Operation(
                operation_id="getApiKeys",
                method="GET",
                path=PATH,
                tag=TAG,
                summary="List API keys",
                description="The caller's own, or all of the portal's for an administrator.",
                handler=self.list_keys,
                action=Action.MANAGE_KEYS,
                answer=list[ApiKeyResponseDto],
                answer_examples={"one": Example(summary="One key", value=[_KEY_EXAMPLE])},
            ),
            Operation(
                operation_id="deleteApiKey",
                method="DELETE",
                path=f"{PATH}/{{id}}",
                tag=TAG,
                summary="Revoke an API key",
                description="The key is refused from the next request on.",
                handler=self.revoke,
                action=Action.MANAGE_KEYS,
                answer=bool,
                answer_examples={"revoked": Example(summary="It is revoked", value=True)},
                path_parameters={"id": Annotated[UUID, Meta(description="The key's id.")]},
                may_be_missing=True,
            ),
        ]


def name_faults(name: str) -> list[str]:
    """Return what is wrong with a key's name beside its length."""
    return [_NAME] if not name.strip() or hidden_character(name) else []


def key_dto(key: ApiKey, now: int, shown: str | None = None) -> ApiKeyResponseDto:
    """Return how a key is answered at `now`; `shown` is the whole key, when just made."""
    return ApiKeyResponseDto(
        id=UUID(key.id),
        name=key.name,
        key=msgspec.UNSET if shown is None else shown,
        key_postfix=key.postfix,
        permissions=sorted(key.permissions),
        create_on=moment(key.created_at),
        create_by=EmployeeDto(id=UUID(key.user.id), display_name=key.user.email),
        expires_at=msgspec.UNSET if key.expires_at is None else moment(key.expires_at),
        last_used=msgspec.UNSET if key.last_used_at is None else moment(key.last_used_at),
        is_active=key.is_active(now),
    )
