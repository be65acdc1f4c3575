"""A portal's name is a DNS label, and a standalone installation has one portal."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from smarthost.portals.model import ConflictError
from smarthost.portals.rules import PortalNameError, parse_portal_name, refuse_second_portal

LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


@pytest.mark.parametrize("name", ["a", "0", "acme", "a-b", "a--b", "x" * 63])
def test_a_label_is_a_name(name: str) -> None:
    assert parse_portal_name(name) == name


@pytest.mark.parametrize(
    "name", ["", "-a", "a-", "A", "a.b", "a b", "a_b", "ä", "x" * 64, "a\n", "\udcff"]
)
def test_what_is_no_label_is_refused(name: str) -> None:
    with pytest.raises(PortalNameError, match="1 to 63"):
        parse_portal_name(name)


@given(st.text())
@example("٣")
def test_a_name_that_passes_is_ascii_within_its_length(text: str) -> None:
    try:
        name = parse_portal_name(text)
    except PortalNameError:
        return
    assert 1 <= len(name) <= 63
    assert set(name) <= {*LETTERS, "-"}
    assert not name.startswith("-")
    assert not name.endswith("-")


def test_only_a_base_domain_lets_in_a_second_portal() -> None:
    refuse_second_portal(None, has_any=False)
    refuse_second_portal("portals.test", has_any=True)
    with pytest.raises(ConflictError, match="SMARTHOST_BASE_DOMAIN"):
        refuse_second_portal(None, has_any=True)
