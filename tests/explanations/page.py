"""A page of the documentation that ends in a table, which is made from what the program does."""

from collections.abc import Iterable, Sequence


def ending_in(head: Sequence[str], rows: Iterable[str], page: str) -> str:
    """Return the page with these rows under the head that it has."""
    before, found, _ = page.partition("\n".join(head))
    if not found:
        raise ValueError("The page has no table.")
    return before + "\n".join((*head, *rows)) + "\n"
