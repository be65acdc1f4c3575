"""Who logs in: the password is an API key, which says by itself whose it is.

All that is wrong with a key is answered alike, so that nothing is learned by trying; a key that is
right and may not send is told so.
"""

import structlog

from smarthost.clock import Clock
from smarthost.network import rate_key
from smarthost.portals.access import Action, authorize
from smarthost.portals.keys.last_use import LastUse
from smarthost.portals.keys.model import ApiKey
from smarthost.portals.keys.store import KeyStore
from smarthost.portals.model import Caller, CredentialKind, PortalsError
from smarthost.portals.store import PortalStore
from smarthost.portals.tokens import Token, TokenKind, parse_token
from smarthost.smtp.sasl_server import Credentials
from smarthost.submission import replies
from smarthost.submission.bad_logins import BadLogins
from smarthost.submission.replies import Reply
from smarthost.submission.steps import Submitter

log = structlog.get_logger("smarthost.submission")


class Logins:
    """Proves who submits."""

    def __init__(
        self,
        keys: KeyStore,
        portals: PortalStore,
        last_use: LastUse,
        bad_logins: BadLogins,
        clock: Clock,
    ) -> None:
        self._keys = keys
        self._portals = portals
        self._last_use = last_use
        self._bad_logins = bad_logins
        self._clock = clock

    async def check(
        self, credentials: Credentials, address: str
    ) -> tuple[Reply, Submitter | None]:
        """Return what is said to a client at `address` that shows these, and who it is.

        Raises `StoreUnavailableError`.
        """
        try:
            submitter = await self._submitter(credentials)
        except PortalsError as error:
            log.warning("login refused", client=address, reason=str(error))
            return replies.LOGIN_NOT_ALLOWED.saying(str(error)), None
        if submitter is not None:
            return replies.LOGGED_IN, submitter
        log.warning("login refused", client=address)
        if self._bad_logins.are_too_many(rate_key(address)):
            return replies.TOO_MANY_BAD_LOGINS, None
        return replies.LOGIN_REFUSED, None

    async def again(self, submitter: Submitter) -> Submitter | None:
        """Return the submitter as things are now; None: the key is good no more.

        Raises `StoreUnavailableError`, and `PortalsError` where it may not send any more.
        """
        token = submitter.token
        return await self._allowed(await self._keys.find(submitter.portal.id, token), token)

    async def _submitter(self, credentials: Credentials) -> Submitter | None:
        token = parse_token(credentials.password.reveal())
        if token is None or token.kind is not TokenKind.API_KEY:
            return None
        return await self._allowed(await self._keys.find_anywhere(token), token)

    async def _allowed(self, key: ApiKey | None, token: Token) -> Submitter | None:
        if key is None:
            return None
        portal = await self._portals.portal_by_id(key.user.portal_id)
        if portal is None:
            return None
        caller = Caller(
            user=key.user,
            kind=CredentialKind.KEY,
            credential_id=key.id,
            permissions=key.permissions,
        )
        authorize(Action.SEND_MAIL, caller, portal)
        self._last_use.note(key, self._clock.now())
        return Submitter(portal=portal, caller=caller, token=token)
