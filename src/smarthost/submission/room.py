"""Room in memory for messages that are being received, so that many large ones do not fill it.

A message takes what has come of it, beyond what every session may hold; one that finds no more
room is read to its end without being kept, and refused for now.
"""


class Room:
    """Counts what is taken."""

    def __init__(self, octets: int) -> None:
        self._left = octets

    def take(self, octets: int) -> bool:
        """Take that much, or give it back if it is negative; return whether it was there."""
        if octets > self._left:
            return False
        self._left -= octets
        return True

    def give_back(self, octets: int) -> None:
        """Give back what was taken."""
        self._left += octets
