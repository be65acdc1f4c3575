"""Which portal a request is for: the label of its host name under the base domain.

A standalone installation has one portal, whatever the host name says.
"""

from http import HTTPStatus

from smarthost.portals.model import Portal
from smarthost.portals.store import PortalStore
from smarthost.web.errors import RequestError


class PortalFinder:
    """Finds portals by host name."""

    def __init__(self, store: PortalStore, base_domain: str | None, standalone: str) -> None:
        """Take the base domain; None means one portal alone, named `standalone`."""
        self._store = store
        self._ending = None if base_domain is None else f".{base_domain.lower()}"
        self._standalone = standalone

    async def find(self, host: str) -> Portal:
        """Return the portal of `host`, with or without a port. Raises `RequestError` (404)."""
        name = self._standalone if self._ending is None else _label(host, self._ending)
        portal = await self._store.portal(name) if name else None
        if portal is None:
            raise RequestError(
                HTTPStatus.NOT_FOUND, "There is no portal at this address. Check the host name."
            )
        return portal


def _label(host: str, ending: str) -> str | None:
    name = host.partition(":")[0].lower().removesuffix(".")
    label = name.removesuffix(ending)
    return label if label != name and label and "." not in label else None
