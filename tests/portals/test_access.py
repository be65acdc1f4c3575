"""The table of who may do what, spelled out row by row, apart from the code's own."""

import itertools

import pytest

from smarthost.portals.access import (
    Action,
    ForbiddenError,
    SettingsSwitchedOffError,
    SuspendedError,
    authorize,
    authorize_key_permissions,
    owner_of,
    whose_mail,
)
from smarthost.portals.model import Caller, CredentialKind, Permission, Portal, Role, User

READ, WRITE, SEND, ALL = Permission.READ, Permission.WRITE, Permission.SEND, Permission.ALL
ALL_SETS = [
    frozenset(chosen)
    for size in range(len(Permission) + 1)
    for chosen in itertools.combinations(Permission, size)
]
# Action: the permissions of which one is needed, whether only an administrator may,
# whether the operator's switch stands before it.
TABLE: dict[Action, tuple[set[Permission], bool, bool]] = {
    Action.SIGNED_IN: (set(), False, False),
    Action.READ_SETTINGS: ({READ, ALL}, True, True),
    Action.CHANGE_SETTINGS: ({WRITE, ALL}, True, True),
    Action.MANAGE_KEYS: ({ALL}, False, False),
    Action.SEND_MAIL: ({SEND, ALL}, False, False),
}


def caller(
    role: Role, held: frozenset[Permission], kind: CredentialKind = CredentialKind.KEY
) -> Caller:
    user = User(portal_id="p", id="u", email="a@b.c", role=role, password_hash=None, created_at=0)
    return Caller(user=user, kind=kind, credential_id="k", permissions=held)


def portal(*, settings_allowed: bool, suspended_at: int | None = None) -> Portal:
    return Portal(
        id="p",
        name="first",
        created_at=0,
        settings_allowed=settings_allowed,
        suspended_at=suspended_at,
    )


def answer(action: Action, role: Role, held: frozenset[Permission], allowed: bool) -> int:
    """What the contract answers."""
    try:
        authorize(action, caller(role, held), portal(settings_allowed=allowed))
    except SettingsSwitchedOffError as error:
        assert "Ask the operator" in str(error)  # noqa: PT017
        return 402
    except ForbiddenError as error:
        assert str(error)  # noqa: PT017
        return 403
    return 200


def test_the_table_has_every_action() -> None:
    assert set(TABLE) == set(Action)


@pytest.mark.parametrize("allowed", [True, False], ids=["allowed", "denied"])
@pytest.mark.parametrize("held", ALL_SETS, ids=lambda held: ",".join(sorted(held)) or "none")
@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("action", Action, ids=lambda action: action.name)
def test_who_may_do_what(
    action: Action, role: Role, held: frozenset[Permission], allowed: bool
) -> None:
    needed, administrators_alone, switched = TABLE[action]
    if switched and not allowed:
        expected = 402
    elif administrators_alone and role is not Role.ADMINISTRATOR:
        expected = 403
    else:
        expected = 200 if not needed or needed & held else 403
    assert answer(action, role, held, allowed) == expected


@pytest.mark.parametrize("held", [frozenset[Permission](), frozenset({ALL})], ids=["none", "all"])
@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("action", Action, ids=lambda action: action.name)
def test_nobody_may_do_anything_in_a_suspended_portal(
    action: Action, role: Role, held: frozenset[Permission]
) -> None:
    with pytest.raises(SuspendedError, match="suspended"):
        authorize(action, caller(role, held), portal(settings_allowed=True, suspended_at=1))


def test_of_settings_that_are_switched_off_that_is_told_first() -> None:
    closed = portal(settings_allowed=False, suspended_at=1)
    with pytest.raises(SettingsSwitchedOffError):
        authorize(Action.READ_SETTINGS, caller(Role.USER, frozenset()), closed)


@pytest.mark.parametrize(
    ("action", "names"), [(Action.READ_SETTINGS, "'read'"), (Action.CHANGE_SETTINGS, "'write'"),
                          (Action.MANAGE_KEYS, "'*'")]
)  # fmt: skip
def test_a_refusal_names_the_permission_that_is_missing(action: Action, names: str) -> None:
    with pytest.raises(ForbiddenError) as caught:
        authorize(
            action, caller(Role.ADMINISTRATOR, frozenset({SEND})), portal(settings_allowed=True)
        )
    assert names in str(caught.value)


@pytest.mark.parametrize("wanted", ALL_SETS, ids=lambda held: ",".join(sorted(held)) or "none")
@pytest.mark.parametrize("role", Role)
def test_only_administrators_hold_keys_for_more_than_sending(
    role: Role, wanted: frozenset[Permission]
) -> None:
    asking = caller(role, frozenset({ALL}))
    if role is Role.ADMINISTRATOR or wanted == {SEND}:
        authorize_key_permissions(wanted, asking)
        return
    with pytest.raises(ForbiddenError):
        authorize_key_permissions(wanted, asking)


@pytest.mark.parametrize(
    ("kind", "owner"),
    [
        (CredentialKind.KEY, "key:k"),
        (CredentialKind.SESSION, "user:u"),
        (CredentialKind.PASSWORD, "user:u"),
        (CredentialKind.TOKEN, "user:u"),
    ],
)
def test_mail_is_the_key_s_that_sent_it_or_the_user_s(kind: CredentialKind, owner: str) -> None:
    everything = frozenset({ALL})
    assert owner_of(caller(Role.USER, everything, kind)) == owner
    assert whose_mail(caller(Role.USER, everything, kind)) == owner
    assert whose_mail(caller(Role.ADMINISTRATOR, everything, kind)) is None


@pytest.mark.parametrize("held", ALL_SETS, ids=lambda held: ",".join(sorted(held)) or "none")
def test_only_an_administrator_with_everything_sees_all_mail(held: frozenset[Permission]) -> None:
    sees_all = whose_mail(caller(Role.ADMINISTRATOR, held)) is None
    assert sees_all == (ALL in held)
