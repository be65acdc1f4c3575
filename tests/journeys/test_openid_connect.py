"""Signing in with tokens of an issuer: the real program and a real HTTPS provider."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.program import ADMIN, Program
from tests.contract.service import SETTINGS
from tests.http_servers import hang_up
from tests.journeys.openid_world import OpenIdWorld, openid_world
from tests.journeys.served import serving
from tests.openid_provider import DISCOVERY, KEYS, rsa_key


@pytest.fixture
def world(tmp_path: Path) -> Iterator[OpenIdWorld]:
    with openid_world(tmp_path) as running:
        yield running


@pytest.fixture
def environ(world: OpenIdWorld) -> dict[str, str]:
    settings = {f"SMARTHOST_{name}": value for name, value in world.settings().items()}
    return world.environ | settings


def test_a_token_signs_in_while_the_provider_changes_its_keys_and_goes(
    program: Program, key: str, world: OpenIdWorld, environ: dict[str, str]
) -> None:
    provider = world.provider
    with serving(program, **environ) as service:
        app = service.client(key)

        def status(token: str) -> int:
            return app.ask("GET", SETTINGS, Authorization=f"Bearer {token}").status

        assert provider.asked == [], "the start does not wait for the provider"
        assert status(provider.token(ADMIN)) == 200
        assert status(provider.token(ADMIN, exp=1)) == 401
        assert status(provider.token("nobody@example.com")) == 401
        provider.keys = {"second": rsa_key(3)}
        old = provider.token(ADMIN, key=rsa_key())
        new = provider.token(ADMIN, kid="second")
        assert status(new) == 401, "the issuer was asked within this minute"
        provider.instead = {DISCOVERY: hang_up, KEYS: hang_up}
        assert status(old) == 200
        assert provider.asked == [DISCOVERY, KEYS]
        service.stop()
    told = program("doctor", "--json", **environ).json()
    (finding,) = [one for one in told if one["check"] == "OpenID Connect"]
    assert not finding["ok"]
    assert f"{provider.issuer} has no keys for us: The connection" in finding["message"]
    reasons = [line["reason"] for line in service.events("bearer token refused")]
    assert reasons == ["expired", "unknown_user", "unknown_key"]
    log = "\n".join(service.log)
    assert "eyJ" not in log
    assert old.rpartition(".")[2] not in log
