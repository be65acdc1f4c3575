"""A program: prints what is suggested for every domain of the table, and lets nobody be asked.

Beside it, which of the libraries that ask others were loaded for it.
"""

import asyncio
import json
import socket
import sys

import msgspec

from smarthost.clock import SystemClock
from smarthost.providers import Providers
from smarthost.relay_check.suggest import Suggest
from smarthost.relay_check.suggestions.model import Found
from smarthost.smtp.egress import Policy, SystemResolver

_NETWORK = ("socket.connect", "socket.getaddrinfo", "socket.gethostby", "socket.send")
_LIBRARIES = {"dns", "httpcore", "anyio"}


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
    loaded = sorted(_LIBRARIES & set(sys.modules))
    sys.stdout.write(json.dumps({"told": msgspec.to_builtins(told), "loaded": loaded}))


def prove_that_the_hook_holds() -> None:
    try:
        socket.create_connection(("127.0.0.1", 1), timeout=1)
    except PermissionError:
        return
    raise AssertionError("the network is not refused")


if __name__ == "__main__":
    sys.addaudithook(refuse_the_network)
    prove_that_the_hook_holds()
    asyncio.run(main())
