"""What `doctor` says of the way to a PostgreSQL server: who reads along, and who is between."""

from ipaddress import ip_address
from urllib.parse import parse_qs, urlsplit

from smarthost.app.finding import Finding, bad, good
from smarthost.database.engine import Database
from smarthost.database.postgresql import PostgresqlDatabase
from smarthost.database.postgresql_session import (
    Session,
    is_pooled_by_transaction,
    lost_settings,
    session_of,
)
from smarthost.secret import Secret

# They fall back to clear text, whoever asks for that; the first one is what holds without a word.
_FALL_BACK = ("prefer", "allow")
_UNVERIFIED = "require"


async def check_session(database: Database, url: Secret) -> list[Finding]:
    """Look at TLS, at a pooler and at the session's limits. Raises `StoreUnavailableError`."""
    assert isinstance(database, PostgresqlDatabase)  # noqa: S101 - what the URL opens
    named = parse_qs(urlsplit(url.reveal()).query).get("sslmode", list(_FALL_BACK[:1]))[-1]
    return [
        judge_encryption(await session_of(database), named),
        _judge_pooler(
            pooled=await is_pooled_by_transaction(database), lost=await lost_settings(database)
        ),
    ]


def judge_encryption(session: Session, sslmode: str) -> Finding:
    """Say who can read along between here and the server; `sslmode` is the URL's."""
    check = "TLS to the server"
    if not session.address or ip_address(session.address).is_loopback:
        return good(check, "The server is on this machine.")
    where = f"The server is at {session.address}"
    if not session.encrypted:
        return bad(
            check,
            f"{where}, and all goes there in clear. Switch TLS on at the server, and add "
            "sslmode=verify-full to the URL.",
        )
    if sslmode in _FALL_BACK:
        return bad(
            check,
            f"{where}. TLS is spoken, but whoever is between can have it left out: add "
            "sslmode=verify-full to the URL.",
        )
    if sslmode == _UNVERIFIED:
        return good(check, f"{where}. TLS is spoken; sslmode=verify-full would check with whom.")
    return good(check, f"{where}. TLS is spoken, and its certificate is checked.")


def _judge_pooler(*, pooled: bool, lost: dict[str, str]) -> Finding:
    if pooled:
        return bad(
            "pooler",
            "A pooler lends a session for one transaction only, which loses prepared statements "
            "and locks. Set its pool_mode = session.",
        )
    if lost:
        settings = ", ".join(f"{name} is {value}" for name, value in lost.items())
        return bad(
            "pooler",
            f"Sessions do not have the limits that Smarthost asks for ({settings}): a pooler "
            "drops them. Set them for the user, as docs/postgresql.md says.",
        )
    return good("pooler", "Sessions are Smarthost's own, with the limits that it asks for.")
