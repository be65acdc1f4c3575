"""What asks the name server of a test, in place of the machine's own."""

from dns.asyncresolver import Resolver

from smarthost.relay_check.suggestions.dns import NameServers
from tests.name_server import NameServer


def ask(server: NameServer, lifetime_seconds: float = 4.0) -> NameServers:
    def resolver() -> Resolver:
        found = Resolver(configure=False)
        found.nameservers, found.port = ["127.0.0.1"], server.port
        return found

    return NameServers(resolver, lifetime_seconds)
