"""Which domains may be asked about at all.

A name of an organisation's own network says something about it to whoever hears the question, and
the answer would come from that network. So it stays unasked where relays may only be outside.
"""

from smarthost.smtp.egress import Policy

# RFC 6761 (sections 6.3 and 6.4) and RFC 7686: a name server is never asked.
_NOWHERE = ("invalid", "localhost", "onion")
# RFC 6762 with its appendix G, RFC 8375, RFC 9476, ICANN's "internal", and RFC 6761, section 6.2.
_INSIDE = (
    *("alt", "corp", "home", "home.arpa", "internal", "intranet", "lan", "local", "localdomain"),
    *("private", "test"),
)


def may_be_asked(domain: str, policy: Policy) -> bool:
    """Say whether name servers and web servers may be asked about this domain of an address.

    It is a name in A-labels or a literal in brackets, which nothing can be asked about.
    """
    if domain.startswith("[") or _is_below(domain, _NOWHERE):
        return False
    return policy.networks != "public" or ("." in domain and not _is_below(domain, _INSIDE))


def _is_below(domain: str, names: tuple[str, ...]) -> bool:
    return any(domain == name or domain.endswith("." + name) for name in names)
