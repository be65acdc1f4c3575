"""Hands a message that was typed to the queue, as the API does what is sent to it.

It is the operator's own, or that of the user in whose name it is sent, who then sees it as if they
had sent it themselves.
"""

import hashlib
from dataclasses import dataclass

import msgspec

from smarthost.app.parts import Parts
from smarthost.cli.choices import actor, named_user
from smarthost.cli.exit_codes import UsageError
from smarthost.cli.sendmail import names_sender, with_sender
from smarthost.cli.typed_email import Typed, refusal
from smarthost.mail.address import AddressError
from smarthost.mail.mailbox import Mailbox, parse_mailbox
from smarthost.mail_queue.accepted.model import Idempotency, Submission
from smarthost.portals.access import owner_of
from smarthost.portals.model import Caller, CredentialKind, Permission, Portal, User
from smarthost.sending.model import EmailInput
from smarthost.sending.sender import sender_of
from smarthost.web.emails.answers import Sent


@dataclass(frozen=True, kw_only=True)
class HandedIn:
    """A message as it was typed, and who hands it in."""

    typed: Typed
    email: EmailInput
    as_user: str | None
    """A user's e-mail address; None: it is nobody's but the operator's."""
    idempotency_key: str | None

    def digest(self) -> bytes:
        """Return SHA-256 of all that was asked for, files included."""
        return hashlib.sha256(msgspec.msgpack.encode(self.email)).digest()


async def accept(handed_in: HandedIn, portal: Portal, parts: Parts) -> str:
    """Put a message into the queue and return its id, that of the first time if it comes again.

    Raises what `refusal` gives, `AddressError`, `NotFoundError`, `IdempotencyMismatchError`,
    `NotAcceptableError`, and `StoreUnavailableError`.
    """
    by = await actor(parts, portal, handed_in.as_user)
    owner = None
    if handed_in.as_user is not None:
        owner = _owner(await named_user(parts, portal, handed_in.as_user))
    intake, key, digest = parts.delivery.intake, handed_in.idempotency_key, handed_in.digest()
    answer = None if key is None else await intake.replay(portal.id, owner, key, digest)
    if answer is not None:
        return _id(answer)
    email = await _with_sender(handed_in, portal, parts)
    (prepared,) = await parts.sending.prepare(portal, [email])
    if not isinstance(prepared, Submission):
        raise refusal(prepared, handed_in.typed)
    once = None
    if key is not None:
        once = Idempotency(key=key, digest=digest, answer=_answer(prepared.id))
    # Another command may have come with the same key meanwhile.
    answer = await intake.submit(portal.id, [prepared], by=by, owner=owner, idempotency=once)
    return prepared.id if answer is None else _id(answer)


def _owner(user: User) -> str:
    permissions = frozenset({Permission.SEND})
    return owner_of(
        Caller(
            user=user,
            kind=CredentialKind.PASSWORD,
            credential_id=None,
            permissions=permissions,
        )
    )


async def _with_sender(handed_in: HandedIn, portal: Portal, parts: Parts) -> EmailInput:
    """Return the e-mail with whom it is from, where it is a whole message that leaves it out."""
    email = handed_in.email
    if email.raw is None or not email.raw.strip() or names_sender(email.raw):
        return email
    sender = await _sender(handed_in.typed, portal, parts)
    if sender is None:  # there is no relay either, which is then told
        return email
    return msgspec.structs.replace(email, raw=with_sender(email.raw, sender))


async def _sender(typed: Typed, portal: Portal, parts: Parts) -> Mailbox | None:
    if typed.sender is not None:
        try:
            return parse_mailbox(typed.sender)
        except AddressError as error:
            raise UsageError(f"--from: {error}") from None
    settings = (await parts.settings.current(portal.id)).settings or parts.default_relay
    return None if settings is None else sender_of(portal, settings).mailbox


def _answer(message_id: str) -> bytes:
    return msgspec.json.encode(Sent(id=message_id))


def _id(answer: bytes) -> str:
    return msgspec.json.decode(answer, type=Sent).id
