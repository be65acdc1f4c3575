"""What a request to /emails asks for beside its body: its headers, query and path, checked."""

import hashlib
import re
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
LISTED = 20
"""E-mails on a page, where nothing is said."""
MOST_LISTED = 100

_LONGEST_NUMBER = 9


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


def page_of(call: Call[Caller]) -> tuple[int, str | None, str | None]:
    """Return how many e-mails are asked for, and the ids after and before which they are.

    Raises `EmailsError`.
    """
    limit = _number(call.query.get("limit", str(LISTED)))
    if not 1 <= limit <= MOST_LISTED:
        raise _invalid(f"limit: This must be a whole number from 1 to {MOST_LISTED}.")
    after, before = (
        None if name not in call.query else _uuid(name, call.query[name])
        for name in ("after", "before")
    )
    if after is not None and before is not None:
        raise _invalid("Give after or before, not both.")
    return limit, after, before


def message_id_of(call: Call[Caller]) -> str:
    """Return the id that the path names. Raises `EmailsError` if it is none."""
    return _uuid("id", call.path["id"])


def _number(text: str) -> int:
    """Return the number that `text` writes in ASCII digits, 0 if it is none or a long one."""
    return int(text) if re.fullmatch("[0-9]+", text) and len(text) <= _LONGEST_NUMBER else 0


def _uuid(name: str, text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        raise EmailsError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "invalid_parameter",
            f"{name}: This must be the id of an e-mail, a UUID.",
        ) from None


def _invalid(message: str) -> EmailsError:
    return EmailsError(HTTPStatus.UNPROCESSABLE_ENTITY, VALIDATION, message)
