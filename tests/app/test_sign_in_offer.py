"""How the first administrator is told to sign in, and that it never stands in a start's way."""

from os import statvfs
from pathlib import Path

import pytest

from smarthost.app.sign_in_offer import SignInOffer, offer_sign_in
from smarthost.portals.model import Role
from smarthost.secret import Secret
from tests.app.test_relays import BY, installation
from tests.disks import small_disk

URL = "http://127.0.0.1:8025"
EMAIL = "a@example.com"
TOLD = SignInOffer(portal="default", email=EMAIL, url=None)


async def test_without_an_administrator_nobody_is_told_anything(tmp_path: Path) -> None:
    async with installation(tmp_path) as (_, parts, portal):
        await parts.portals.create_user(portal.id, EMAIL, Role.USER, None, BY)
        assert await offer_sign_in(parts, portal, URL, make_link=True) is None


async def test_a_link_is_made_if_it_is_asked_for_alone(tmp_path: Path) -> None:
    async with installation(tmp_path) as (_, parts, portal):
        user = await parts.portals.create_user(portal.id, EMAIL, Role.ADMINISTRATOR, None, BY)
        assert await offer_sign_in(parts, portal, URL, make_link=False) == TOLD
        made = await offer_sign_in(parts, portal, URL, make_link=True)
        assert made is not None
        assert made.url is not None
        page, _, token = made.url.reveal().partition("?token=")
        assert page == f"{URL}/sign-in/link"
        assert token not in repr(made)
        assert await parts.links.look(portal, Secret(token)) == user


@pytest.mark.needs("mount", "umount")
async def test_on_a_full_disk_the_command_is_told_in_place_of_a_link(tmp_path: Path) -> None:
    with small_disk(tmp_path, "size=2m") as disk:
        async with installation(disk) as (_, parts, portal):
            await parts.portals.create_user(portal.id, EMAIL, Role.ADMINISTRATOR, None, BY)
            free = statvfs(disk)
            (disk / "ballast").write_bytes(bytes(free.f_bavail * free.f_frsize))
            for _ in range(1000):  # what is left of the database's own files
                told = await offer_sign_in(parts, portal, URL, make_link=True)
                if told == TOLD:
                    break
            assert told == TOLD
            (disk / "ballast").unlink()
            told = await offer_sign_in(parts, portal, URL, make_link=True)
            assert told is not None
            assert told.url is not None
