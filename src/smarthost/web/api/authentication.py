"""Sessions: signing in with an e-mail address and a password, asking, and signing out."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from smarthost.clock import moment
from smarthost.network import rate_key
from smarthost.portals.access import Action, ForbiddenError
from smarthost.portals.model import Caller, CredentialKind
from smarthost.portals.sign_in.sign_in import SignIn
from smarthost.portals.sign_in.store import SignInStore
from smarthost.secret import Secret
from smarthost.web.errors import UnauthorizedError
from smarthost.web.operations import Answer, Call, Example, Operation

PATH = "/api/2.0/authentication"
TAG = "Authentication"


class AuthRequestsDto(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True
):
    """Who signs in."""

    user_name: Annotated[
        str, Meta(min_length=1, max_length=254, description="The user's e-mail address.")
    ]
    password: Annotated[Secret, Meta(description="The user's password.")]


class AuthenticationTokenDto(msgspec.Struct, frozen=True, kw_only=True):
    """A session, to be sent as the cookie `asc_auth_key` or in `Authorization`."""

    token: Annotated[str, Meta(description="The session's token; shown this once.")]
    expires: Annotated[datetime, Meta(tz=True, description="When the session ends, UTC.")]


class AuthenticationApi:
    """The end points."""

    def __init__(self, sign_in: SignIn, store: SignInStore) -> None:
        self._sign_in = sign_in
        self._store = store

    async def sign_in(self, call: Call[None]) -> Answer:
        """Check the password and start a session."""
        body: AuthRequestsDto = call.body.checked()
        address = rate_key(call.client.address)
        user = await self._sign_in.check(call.portal, body.user_name, body.password, address)
        if user is None:
            raise UnauthorizedError("The e-mail address or the password is wrong.")
        session, token = await self._sign_in.start_session(user)
        shown = token.text().reveal()
        return Answer(
            value=AuthenticationTokenDto(token=shown, expires=moment(session.expires_at))
        )

    async def is_signed_in(self, _call: Call[Caller]) -> Answer:
        """Answer true: the credentials have been checked on the way here."""
        return Answer(value=True)

    async def sign_out(self, call: Call[Caller]) -> Answer:
        """End the session whose token this is."""
        caller = call.caller
        if caller.kind is not CredentialKind.SESSION or caller.credential_id is None:
            raise ForbiddenError(
                "Only a session is signed out. An API key ends with DELETE /api/2.0/keys/{id}."
            )
        await self._store.end_session(call.portal.id, caller.credential_id)
        # Official clients take text or nothing here; a boolean is an error to them.
        return Answer(value=None)

    def operations(self) -> list[Operation]:
        """Return the rows of the table of operations."""
        return [
            Operation(
                operation_id="authenticateMe",
                method="POST",
                path=PATH,
                tag=TAG,
                summary="Sign in",
                description="Starts a session of 24 hours. After 5 wrong passwords within a "
                "minute, from one address or for one user, further tries get 429.",
                handler=self.sign_in,
                action=None,
                body=AuthRequestsDto,
                answer=AuthenticationTokenDto,
                body_examples={
                    "password": Example(
                        summary="An e-mail address and a password",
                        value={"userName": "jane@example.com", "password": "correct horse"},
                    )
                },
                answer_examples={
                    "password": Example(
                        summary="A session",
                        value={
                            "token": "ss_01a20468-4c81-7568-b9c7-f3a45b943b40_"
                            "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
                            "expires": "2026-11-23T17:57:53.921928Z",
                        },
                    )
                },
            ),
            Operation(
                operation_id="getIsAuthentificated",
                method="GET",
                path=PATH,
                tag=TAG,
                summary="Ask whether the credentials are valid",
                description="True for any valid credential, else 401.",
                handler=self.is_signed_in,
                action=Action.SIGNED_IN,
                answer=bool,
                answer_examples={"valid": Example(summary="They are", value=True)},
            ),
            Operation(
                operation_id="logout",
                method="POST",
                path=f"{PATH}/logout",
                tag=TAG,
                summary="Sign out",
                description="Ends the session whose token is sent.",
                handler=self.sign_out,
                action=Action.SIGNED_IN,
                answer=None,
                answer_examples={"ended": Example(summary="The session has ended", value=None)},
            ),
        ]
