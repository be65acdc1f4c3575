"""What is wrong with the configuration, all of it at once.

An operator who mends one line and meets the next fault on the next start loses patience, so
every fault is collected first. A fault never holds the value of a setting that may be secret.
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """One fault: the setting as the operator wrote its name, and one line that says what to do."""

    name: str
    message: str

    def __str__(self) -> str:
        return f"{self.name}: {self.message}"


class ConfigError(Exception):
    """The configuration cannot be used; `faults` says why, `str()` gives one line for each."""

    def __init__(self, *, faults: tuple[Fault, ...]) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = faults


class InvalidValueError(Exception):
    """A value breaks the rules of its setting, in one way or in several; one sentence each."""

    def __init__(self, *messages: str) -> None:
        super().__init__(" ".join(messages))
        self.messages = messages


def shown(text: str) -> str:
    """Give at most 60 printable characters of what the operator wrote, fit for one line."""
    printable = "".join(character if character.isprintable() else "?" for character in text[:60])
    return printable if len(text) <= 60 else f"{printable}…"
