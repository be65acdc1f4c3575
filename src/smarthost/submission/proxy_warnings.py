"""Warns the operator of a proxy in front that lets no mail in, once for each proxy and reason.

Whoever is behind it learns nothing, and a check of the port repeats the same each second. Many may
be named as proxies, and anybody may begin as one does, so what is kept has an end.
"""

import structlog

log = structlog.get_logger("smarthost.submission")

_MOST = 20
_ADVICE = "If a proxy of yours is there, name it in SMARTHOST_SUBMISSION_PROXY_NETWORKS."


class ProxyWarnings:
    """Knows what it has warned of."""

    def __init__(self) -> None:
        self._without_header: set[tuple[str, str]] = set()
        self._not_named: set[tuple[str, str]] = set()

    def no_header(self, proxy: str, reason: str) -> None:
        """Log that a connection had no good header, and why."""
        tell = log.warning if _is_news(self._without_header, (proxy, reason)) else log.info
        tell("no PROXY header", proxy=proxy, reason=reason)

    def not_named(self, peer: str) -> None:
        """Warn of who begins as a proxy does, and is not believed."""
        if _is_news(self._not_named, (peer, "")):
            log.warning("PROXY header not believed", peer=peer, advice=_ADVICE)


def _is_news(known: set[tuple[str, str]], what: tuple[str, str]) -> bool:
    """Return whether to warn of this, and keep that it was done."""
    if what in known or len(known) >= _MOST:
        return False
    known.add(what)
    return True
