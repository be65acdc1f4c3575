"""A portal of a test's own: no test sees the settings or the mail of another.

Its administrator has a password, and a key for what a test prepares without a browser.
"""

from dataclasses import dataclass
from typing import Any

from smarthost.audit.model import OPERATOR, Actor
from smarthost.portals.model import Permission, Portal, Role, User
from smarthost.web.sign_in_link import sign_in_url
from tests.contract.service import ADMIN_PASSWORD, AUTHENTICATION, SETTINGS, Reply, Service

SENDER = "notify@example.com"


@dataclass(frozen=True, kw_only=True)
class Desk:
    """The portal, and what its administrator and applications do without a browser."""

    service: Service
    portal: Portal
    admin: User
    key: str
    """With the permission `*`."""

    @property
    def url(self) -> str:
        """Without a slash at its end."""
        return f"http://{self.service.host(self.portal)}"

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Return what the API answers to the administrator's key, which has to be a success."""
        reply = self.reply(method, path, body)
        assert reply.status < 300, reply.body
        return reply.json() if reply.body else None

    def reply(self, method: str, path: str, body: object = None) -> Reply:
        return self.service.ask(method, path, body, key=self.key, portal=self.portal)

    def session(self) -> str:
        """Sign the administrator in; return the session's token."""
        body = {"userName": self.admin.email, "password": ADMIN_PASSWORD}
        token = self.ask("POST", AUTHENTICATION, body)["response"]["token"]
        assert isinstance(token, str)
        return token

    def link(self) -> str:
        """Return the path of a link that signs the administrator in."""
        made = self.service.parts.links.make(self.admin, Actor(name=OPERATOR))
        _, token = self.service.run(made)
        return sign_in_url("", token).reveal()

    def save(self, port: int, **changes: object) -> None:
        """Save settings of the relay at `port` of 127.0.0.1, which wants neither login nor TLS."""
        body = {"host": "127.0.0.1", "port": port, "senderAddress": SENDER, **changes}
        self.ask("POST", SETTINGS, body)

    def open_key(self, *permissions: Permission, name: str = "application") -> str:
        return self.service.open_key(self.admin, *permissions, name=name)


def open_desk(service: Service, name: str) -> Desk:
    """Open the portal `name`; its settings are those of the operator, and may be changed."""
    portal = service.open_portal(name)
    admin = service.open_user(
        f"admin@{name}.example.com", Role.ADMINISTRATOR, portal=portal, password=ADMIN_PASSWORD
    )
    return Desk(service=service, portal=portal, admin=admin, key=service.open_key(admin))
