"""Tells the operator of a proxy in front that is not believed, once for each.

Nothing else shows it: requests are served, their clients all count as one, and forms of the page
are refused. Anybody may claim to be a proxy, so what is told and kept has an end.
"""

import structlog

from smarthost.web.proxies import Client

log = structlog.get_logger("smarthost.web")

_MOST = 20


class Disbelieved:
    """Knows of whom it has told."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def note(self, client: Client) -> None:
        """Warn of who has sent a request with `X-Forwarded-*` and is not believed."""
        if client.address in self._told or len(self._told) >= _MOST:
            return
        self._told.add(client.address)
        log.warning(
            "X-Forwarded headers not believed",
            peer=client.address,
            advice="If a proxy of yours is there, name it in SMARTHOST_TRUSTED_NETWORKS.",
        )
