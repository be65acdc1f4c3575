import pytest

from smarthost.portals.keys.model import ApiKey
from smarthost.portals.model import Role, User


@pytest.mark.parametrize(
    ("expires_at", "now", "active"),
    [(None, 10**18, True), (100, 99, True), (100, 100, False), (100, 101, False)],
)
def test_a_key_is_active_until_its_time(expires_at: int | None, now: int, active: bool) -> None:
    user = User(
        portal_id="p", id="u", email="a@b.c", role=Role.USER, password_hash=None, created_at=0
    )
    key = ApiKey(
        id="k",
        user=user,
        name="key",
        permissions=frozenset(),
        postfix="abcd",
        created_at=0,
        expires_at=expires_at,
        last_used_at=None,
    )
    assert key.is_active(now) is active
