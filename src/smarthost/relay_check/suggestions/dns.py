"""The two questions to name servers that getaddrinfo(3) does not ask: SRV and MX.

What comes back is bounded: in time, in length, and to a few records, the best ones. No answer, for
whatever reason, is an empty one: other sources may know more. dnspython is loaded when there is
something to ask.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from dns.asyncresolver import Resolver
    from dns.name import Name

LIFETIME_SECONDS = 4.0
"""For one question with all its tries."""
MOST_RECORDS = 20

_TRY_SECONDS = 1.5


class Srv(NamedTuple):
    """Where a service is (RFC 2782)."""

    priority: int
    weight: int
    port: int
    target: str
    """A name without final dot; empty: the service is decidedly not there."""


def system_resolver() -> "Resolver":
    """Return one that asks the machine's name servers. Raises where none are set."""
    from dns.asyncresolver import Resolver  # noqa: PLC0415

    return Resolver()


class NameServers:
    """Asks name servers."""

    def __init__(
        self,
        make: Callable[[], "Resolver"] = system_resolver,
        lifetime_seconds: float = LIFETIME_SECONDS,
    ) -> None:
        """`make` is called for each question: who the name servers are can change."""
        self._make = make
        self._lifetime_seconds = lifetime_seconds

    async def services(self, name: str) -> list[Srv]:
        """Return the SRV records of `name`, the one to use first, at most `MOST_RECORDS`."""
        found = await self._ask(name, "SRV")
        records = (
            Srv(record.priority, record.weight, record.port, _plain(record.target))
            for record in found
        )
        # The same order each time: weights are for sharing load, and this is for reading.
        return sorted(records, key=lambda one: (one.priority, -one.weight, one))[:MOST_RECORDS]

    async def exchangers(self, domain: str) -> list[str]:
        """Return the mail exchangers of `domain`, the one to use first, at most `MOST_RECORDS`."""
        found = await self._ask(domain, "MX")
        records = sorted((record.preference, _plain(record.exchange)) for record in found)
        # A name of the root alone says that there is none (RFC 7505).
        return [name for _, name in records[:MOST_RECORDS] if name]

    async def _ask(self, name: str, kind: str) -> Sequence[Any]:
        from dns.exception import DNSException  # noqa: PLC0415

        from smarthost.relay_check.suggestions.name_server import bound  # noqa: PLC0415

        try:
            resolver = self._make()
            bound(resolver)
            resolver.timeout = _TRY_SECONDS
            answer = await resolver.resolve(
                f"{name}.",
                kind,
                lifetime=self._lifetime_seconds,
                raise_on_no_answer=False,
                search=False,
            )
        except (DNSException, OSError):
            return []
        return list(answer)


def _plain(name: "Name") -> str:
    return str(name).removesuffix(".").lower()
