import itertools

import pytest

from smarthost.portals.model import Caller, CredentialKind, Permission, Role, User

USER = User(
    portal_id="p", id="u", email="a@b.c", role=Role.USER, password_hash="$argon2", created_at=0
)
ALL_SETS = [
    frozenset(chosen)
    for size in range(len(Permission) + 1)
    for chosen in itertools.combinations(Permission, size)
]


@pytest.mark.parametrize("held", ALL_SETS, ids=lambda held: ",".join(sorted(held)))
@pytest.mark.parametrize("asked", Permission)
def test_a_credential_allows_what_it_holds_and_a_star_all(
    held: frozenset[Permission], asked: Permission
) -> None:
    caller = Caller(user=USER, kind=CredentialKind.KEY, credential_id="k", permissions=held)
    assert caller.holds(asked) == (asked in held or Permission.ALL in held)
