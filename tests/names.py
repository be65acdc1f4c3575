"""A resolver that says what a test wants, in place of the machine's own."""

from smarthost.smtp.egress import RelayNotFoundError


class Names:
    """Gives one list of addresses after the other, the last one again and again.

    What was asked is in `asked`. Without any list no name exists.
    """

    def __init__(self, *addresses: list[str]) -> None:
        self.asked: list[str] = []
        self._addresses = addresses

    async def resolve(self, host: str) -> list[str]:
        self.asked.append(host)
        if not self._addresses:
            raise RelayNotFoundError
        return self._addresses[min(len(self.asked), len(self._addresses)) - 1]
