"""Somebody consents that mail is sent as their mailbox: off to the provider's page, and back.

What comes back is shown by a browser that another site has sent here, so the state is its only
proof. The refresh token is kept before anybody is told that it worked, and the mail that waited
for it goes on at once.
"""

import re
from enum import StrEnum

import msgspec

from smarthost.audit.model import Actor
from smarthost.clock import MICROSECONDS, Clock
from smarthost.delivery.bearer_token import NoToken, NoTokenError, OAuth2Login, shown_words
from smarthost.delivery.consent import exchange_form, page_url
from smarthost.delivery.outcome import Code, Step
from smarthost.delivery.tokens import Tokens
from smarthost.explanations.explain import explain
from smarthost.explanations.failure import Facts, Failure
from smarthost.explanations.relay_shown import shown
from smarthost.secret import Secret
from smarthost.smtp_settings.binding.consent.model import CameBack
from smarthost.smtp_settings.binding.consent.store import ConsentStore
from smarthost.smtp_settings.sealing import SealBrokenError

_STATE = re.compile(r"[A-Za-z0-9_-]{43}\Z")
_CODE = re.compile(r"[\x20-\x7e]{1,4096}\Z")  # RFC 6749, appendix A.11
_CODES = {
    NoToken.REFUSED: Code.OAUTH2_REFUSED,
    NoToken.CONSENT_NEEDED: Code.OAUTH2_CONSENT_NEEDED,
    NoToken.UNAVAILABLE: Code.OAUTH2_UNAVAILABLE,
}
_DENIED = "access_denied"  # RFC 6749, section 4.1.2.1


class Ending(StrEnum):
    """What a consent came to."""

    DONE = "done"
    UNKNOWN = "unknown"
    """The state is none of the portal's, was used or is too old."""
    DENIED = "denied"
    """Somebody has said no."""
    STOPPED = "stopped"
    """The provider has not let it come to a consent."""
    NOT_LASTING = "not_lasting"
    """There is no refresh token, so that it would be over in an hour."""
    CHANGED = "changed"
    """Other settings were saved meanwhile."""
    NO_TOKEN = "no_token"  # noqa: S105 - no secret
    """The code could not be exchanged; `failure` says why."""


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """How it ended, for the person who consented."""

    ending: Ending
    said: str | None = None
    """What the provider said, cleaned."""
    failure: Failure | None = None


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """What a browser has brought back (RFC 6749, section 4.1.2)."""

    state: Secret | None
    code: Secret | None
    error: str | None
    description: str | None


class Consent:
    """Sends people to the provider's page, and takes them back."""

    def __init__(self, store: ConsentStore, tokens: Tokens, clock: Clock) -> None:
        self._store = store
        self._tokens = tokens
        self._clock = clock

    async def begin(
        self, portal_id: str, redirect_uri: str, by: Actor, user_id: str | None = None
    ) -> str:
        """Return the URL of the provider's page. Raises `NothingToConsentError`."""
        return page_url(await self._store.set_out(portal_id, redirect_uri, by, user_id))

    async def end(
        self, portal_id: str, brought: Shown, address: str | None, request_id: str | None
    ) -> Ended:
        """Use the state up, exchange the code, and keep what comes."""
        state, code = brought.state, brought.code
        if state is None or _STATE.match(state.reveal()) is None:
            return Ended(ending=Ending.UNKNOWN)
        try:
            came = await self._store.take(portal_id, state)
        except SealBrokenError:
            return _failed(Code.PASSWORD_UNREADABLE, None)
        if came is None:
            return Ended(ending=Ending.UNKNOWN)
        if brought.error is not None:
            return _stopped(brought)
        if code is None or _CODE.match(code.reveal()) is None:
            return Ended(ending=Ending.STOPPED)
        by = Actor(name=came.set_out_by, address=address, request_id=request_id)
        return await self._exchange(came, code, by)

    async def _exchange(self, came: CameBack, code: Secret, by: Actor) -> Ended:
        login = OAuth2Login(oauth2=came.binding.oauth2, secrets=came.binding.secrets)
        now = self._clock.now()
        try:
            token = await self._tokens.exchanged(login, exchange_form(came, code))
        except NoTokenError as error:
            said = error.said.replace(code.reveal(), "[hidden]")
            return _failed(_CODES[error.why], said, came)
        if token.refresh is None:
            return Ended(ending=Ending.NOT_LASTING)
        until = now + round(token.seconds * MICROSECONDS)
        if not await self._store.keep(came, token.refresh, until, by):
            return Ended(ending=Ending.CHANGED)
        # Those that are at hand may be somebody else's.
        self._tokens.forget_all(came.revision.portal_id)
        return Ended(ending=Ending.DONE)


def _stopped(brought: Shown) -> Ended:
    error, description = brought.error or "", brought.description
    said = shown_words(f"{error}: {description}" if description else error)
    denied = error == _DENIED
    return Ended(ending=Ending.DENIED if denied else Ending.STOPPED, said=said or None)


def _failed(code: Code, said: str | None, came: CameBack | None = None) -> Ended:
    settings = None if came is None else came.revision.settings
    facts = Facts(
        step=Step.AUTHENTICATE,
        code=code,
        reply=said,
        relay=None if settings is None else shown(settings),
    )
    return Ended(ending=Ending.NO_TOKEN, failure=explain(facts))
