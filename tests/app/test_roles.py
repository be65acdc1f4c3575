import pytest

from smarthost.app.roles import ALL_ROLES, Role, RolesError, parse_roles, parted

HTTP, SUBMISSION, DELIVERY = Role.HTTP, Role.SUBMISSION, Role.DELIVERY


@pytest.mark.parametrize(
    ("text", "roles"),
    [
        ("http,submission,delivery", set(ALL_ROLES)),
        ("delivery", {DELIVERY}),
        (" HTTP , submission,http", {HTTP, SUBMISSION}),
    ],
)
def test_roles_are_a_list_in_any_order(text: str, roles: set[Role]) -> None:
    assert parse_roles(text) == roles


@pytest.mark.parametrize("text", ["", "http,", "smtp", "http submission"])
def test_what_is_no_role_is_named_with_those_that_there_are(text: str) -> None:
    with pytest.raises(RolesError, match="http, submission, delivery"):
        parse_roles(text)


def test_one_process_does_everything() -> None:
    assert parted(ALL_ROLES, 1, all_deliver=False) == [ALL_ROLES]
    assert parted(frozenset({DELIVERY}), 1, all_deliver=False) == [{DELIVERY}]


def test_of_several_the_first_delivers_and_the_others_take_mail() -> None:
    assert parted(ALL_ROLES, 3, all_deliver=False) == [
        {HTTP, DELIVERY},
        {HTTP, SUBMISSION},
        {HTTP, SUBMISSION},
    ]
    assert parted(ALL_ROLES - {HTTP}, 2, all_deliver=False) == [{DELIVERY}, {SUBMISSION}]


def test_where_none_delivers_all_are_alike() -> None:
    assert parted(ALL_ROLES - {DELIVERY}, 2, all_deliver=False) == [{HTTP, SUBMISSION}] * 2


def test_delivery_alone_is_not_parted() -> None:
    with pytest.raises(RolesError, match="Leave --processes out"):
        parted(frozenset({DELIVERY}), 2, all_deliver=False)


def test_on_a_server_of_postgresql_all_are_alike() -> None:
    assert parted(ALL_ROLES, 3, all_deliver=True) == [ALL_ROLES] * 3
    assert parted(frozenset({DELIVERY}), 2, all_deliver=True) == [{DELIVERY}] * 2
