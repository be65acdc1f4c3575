"""A program: prints what is suggested for every domain of the table, and lets nobody be asked."""

import asyncio
import json
import sys

import msgspec

from smarthost.clock import SystemClock
from smarthost.providers import Providers
from smarthost.relay_check.suggest import Suggest
from smarthost.relay_check.suggestions.model import Found
from smarthost.smtp.egress import Policy, SystemResolver

_NETWORK = ("socket.connect", "socket.getaddrinfo", "socket.gethostby", "socket.send")


def refuse_the_network(event: str, _arguments: object) -> None:
    if event.startswith(_NETWORK):
        raise PermissionError(event)


async def nobody(domain: str) -> list[Found]:
    raise LookupError(domain)


async def main() -> None:
    suggest = Suggest([nobody], Policy("public"), SystemResolver(), SystemClock())
    told = {
        domain: await suggest.of(domain, "anna")
        for provider in Providers.load().all
        for domain in provider.domains
    }
    sys.stdout.write(json.dumps(msgspec.to_builtins(told)))


if __name__ == "__main__":
    sys.addaudithook(refuse_the_network)
    asyncio.run(main())
