"""`ETag` and `If-Match`: nobody overwrites settings that they have not seen."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from smarthost.portals.model import Role
from tests.contract.bodies import LOGIN, OPEN
from tests.contract.service import SETTINGS, Reply, Service


def tag(service: Service) -> str:
    return str(service.ask("GET", SETTINGS, key=service.key).headers["ETag"])


def change(service: Service, if_match: str | None = None, **fields: Any) -> Reply:
    headers = {} if if_match is None else {"If-Match": if_match}
    return service.ask("POST", SETTINGS, {**OPEN, **fields}, headers=headers, key=service.key)


@pytest.fixture(autouse=True)
def saved(service: Service) -> None:
    """Have settings of some revision above 0."""
    service.ask("POST", SETTINGS, LOGIN, key=service.key)


def test_a_tag_is_the_revision_quoted_and_grows_by_one(service: Service) -> None:
    before = int(tag(service).strip('"'))

    assert change(service).headers["ETag"] == f'"{before + 1}"' == tag(service)
    reset = service.ask("DELETE", SETTINGS, key=service.key)
    assert reset.headers["ETag"] == f'"{before + 2}"' == tag(service)


@pytest.mark.parametrize("form", ["{0}", " {0} ", '"0", {0}', '{0},"999"', 'W/"7", {0}', "*"])
def test_a_change_that_names_the_revision_is_made(service: Service, form: str) -> None:
    assert change(service, form.format(tag(service))).status == 200


@pytest.mark.parametrize(
    "form", ['"{0}0"', 'W/"{0}"', 'w/"{0}"', "{0}", '"0{0}"', '"+{0}"', '"x"', '""', "", '"0"',
             '"99999999999999999999999999"', '" {0}"', '"\u00b2"']
)  # fmt: skip
def test_any_other_tag_is_412_and_nothing_changes(service: Service, form: str) -> None:
    before = tag(service)
    if_match = form.format(before.strip('"'))

    assert change(service, if_match, port=2500).status == 412
    refused = service.ask("DELETE", SETTINGS, headers={"If-Match": if_match}, key=service.key)
    assert refused.status == 412
    assert tag(service) == before


def test_several_headers_are_one_list(service: Service) -> None:
    headers = [("If-Match", '"0"'), ("If-Match", tag(service))]

    assert service.ask("DELETE", SETTINGS, headers=headers, key=service.key).status == 200


def test_412_says_who_changed_what_and_what_to_do(service: Service) -> None:
    told = change(service, '"0"').json()["error"]["message"]

    assert told.startswith("Since revision 0: ")
    assert f"revision {tag(service).strip(chr(34))} saved by {service.admin.email} (" in told
    assert told.endswith("Read the settings again before you change them.")


def test_412_after_a_reset_says_so(service: Service) -> None:
    before = tag(service)
    service.ask("DELETE", SETTINGS, key=service.key)

    told = change(service, before).json()["error"]["message"]
    assert told.startswith(f"Since revision {before.strip(chr(34))}: ")
    assert f"reset by {service.admin.email}. Read" in told


def test_the_state_before_the_first_save_has_a_tag_too(portals_service: Service) -> None:
    portal = portals_service.open_portal("untouched")
    admin = portals_service.open_user("a@x.example", Role.ADMINISTRATOR, portal=portal)
    key = portals_service.open_key(admin)
    only_first = {
        "If-Match": portals_service.ask("GET", SETTINGS, key=key, portal=portal).headers["ETag"]
    }

    def save() -> Reply:
        return portals_service.ask(
            "POST", SETTINGS, OPEN, headers=only_first, key=key, portal=portal
        )

    assert (only_first["If-Match"], save().status, save().status) == ('"0"', 200, 412)


def test_a_read_takes_no_precondition(service: Service) -> None:
    headers = {"If-Match": '"0"'}

    assert service.ask("GET", SETTINGS, headers=headers, key=service.key).status == 200


def test_a_wrong_body_is_told_before_a_wrong_tag(service: Service) -> None:
    assert change(service, '"0"', port=0).status == 400


def test_an_equal_save_needs_the_right_tag_too(service: Service) -> None:
    change(service)

    assert change(service, '"0"').status == 412


def test_of_many_changes_to_one_revision_a_single_one_is_made(service: Service) -> None:
    before = tag(service)
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda port: change(service, before, port=port), range(1, 9)))

    assert sorted(reply.status for reply in replies) == [200, *[412] * 7]
    assert int(tag(service).strip('"')) == int(before.strip('"')) + 1
