"""The names of relays as values of a label: so many and no more, however many relays there are."""

MOST = 200


class RelayLabels:
    """Gives each relay its value."""

    def __init__(self, most: int = MOST) -> None:
        """`most` is how many relays have a value of their own: those that come first."""
        self._most = most
        self._known: set[tuple[str, int]] = set()

    def of(self, host: str | None, port: int | None, *, default: bool) -> str:
        """Return `host:port`, `default`, `none`, or `other` for one too many.

        `default` says that it is the operator's own relay; without a host no relay was found.
        """
        if default:
            return "default"
        if host is None or port is None:
            return "none"
        if (host, port) not in self._known:
            if len(self._known) >= self._most:
                return "other"
            self._known.add((host, port))
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
