"""`ETag` and `If-Match` (RFC 9110 sections 8.8.3 and 13.1.1): a revision's number, quoted."""

import re

_ENTITY_TAG = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"', re.IGNORECASE)
# Tags are compared octet by octet: "07" is not "7".
_REVISION = re.compile(r"0|[1-9][0-9]{0,17}")


def entity_tag(revision: int) -> str:
    """Return the ETag of a revision."""
    return f'"{revision}"'


def revisions_that_match(if_match: str | None) -> frozenset[int] | None:
    """Return the revisions that an `If-Match` names; None when any will do.

    Weak tags never match, as the RFC says, nor does anything that is none of our tags.
    """
    if if_match is None or if_match.strip() == "*":
        return None
    strong = [tag for weak, tag in _ENTITY_TAG.findall(if_match) if not weak]
    return frozenset(int(tag) for tag in strong if _REVISION.fullmatch(tag))
