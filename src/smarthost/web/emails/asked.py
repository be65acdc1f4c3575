"""What a request to /emails asks for beside its body: its headers and path, checked."""

import hashlib
from http import HTTPStatus
from uuid import UUID

from smarthost.mail_queue.accepted.model import Idempotency
from smarthost.portals.access import owner_of
from smarthost.portals.model import Caller
from smarthost.web.emails.decoding import Received
from smarthost.web.emails.errors import VALIDATION, EmailsError
from smarthost.web.emails.request import EmailDto
from smarthost.web.operations import Call

IDEMPOTENCY_KEY = "Idempotency-Key"
BATCH_VALIDATION = "x-batch-validation"
LONGEST_KEY = 256
INVALID_PARAMETER = "invalid_parameter"
"""The name of a refusal where nothing but an id is wrong."""
NO_ID = "This must be the id of an e-mail, a UUID."


class Asked:
    """A request to send, and what makes it recognisable when it comes again."""

    def __init__(self, call: Call[Caller], what: str) -> None:
        self.call = call
        self.received: Received[EmailDto] = call.body
        self.owner = owner_of(call.caller)
        self.key = call.headers.get(IDEMPOTENCY_KEY)
        self._what = what
        if self.key is not None and not 1 <= len(self.key) <= LONGEST_KEY:
            raise EmailsError(
                HTTPStatus.BAD_REQUEST,
                "invalid_idempotency_key",
                f"The header {IDEMPOTENCY_KEY} takes 1 to {LONGEST_KEY} characters.",
            )

    def digest(self) -> bytes:
        """Return SHA-256 of all that is asked for."""
        # Fed in turn: a body of many megabytes is not copied for it.
        digest = hashlib.sha256(b"%b\0" % self._what.encode())
        digest.update(self.received.octets)
        return digest.digest()

    def idempotency(self, answer: bytes) -> Idempotency | None:
        """Return what is kept together with the e-mails; None: nothing is asked for."""
        if self.key is None:
            return None
        return Idempotency(key=self.key, digest=self.digest(), answer=answer)


def is_permissive(call: Call[Caller]) -> bool:
    """Return whether a batch may be accepted in part. Raises `EmailsError`."""
    mode = call.headers.get(BATCH_VALIDATION, "strict").lower()
    if mode not in ("strict", "permissive"):
        raise _invalid(f"The header {BATCH_VALIDATION} takes strict or permissive.")
    return mode == "permissive"


def message_id_of(call: Call[Caller]) -> str:
    """Return the id that the path names. Raises `EmailsError` if it is none."""
    try:
        return str(UUID(call.path["id"]))
    except ValueError:
        raise EmailsError(
            HTTPStatus.UNPROCESSABLE_ENTITY, INVALID_PARAMETER, f"id: {NO_ID}"
        ) from None


def _invalid(message: str) -> EmailsError:
    return EmailsError(HTTPStatus.UNPROCESSABLE_ENTITY, VALIDATION, message)
