"""What `doctor` says of an OpenID Connect issuer, which is a real HTTPS server."""

from pathlib import Path

import pytest

from smarthost.app.doctor import check_issuer
from smarthost.config import Config, load_config
from tests.http_servers import status
from tests.journeys.openid_world import openid_world
from tests.openid_provider import KEYS


def config(folder: Path, **settings: str) -> Config:
    return load_config(
        {f"SMARTHOST_{name}": value for name, value in settings.items()},
        working_directory=folder,
        machine_name=lambda: "smarthost.test",
        stderr_is_terminal=False,
    )


async def test_an_issuer_has_keys_or_the_reason_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with openid_world(tmp_path) as world:
        monkeypatch.setenv("SSL_CERT_FILE", world.environ["SSL_CERT_FILE"])
        trusting = config(tmp_path, **world.settings())
        (good,) = await check_issuer(trusting)
        assert (good.ok, good.check) == (True, "OpenID Connect")
        assert good.message == f"{world.provider.issuer} describes itself and has keys for us: 1."

        world.provider.instead[KEYS] = status("404 Not Found")
        (bad,) = await check_issuer(trusting)
        assert not bad.ok
        assert "Asked for its set of keys, it answers with the status 404." in bad.message
        world.provider.described = {"issuer": "https://evil.example"}
        (bad,) = await check_issuer(trusting)
        assert "Its description is that of another issuer." in bad.message
    (bad,) = await check_issuer(trusting)
    assert "It cannot be reached." in bad.message


async def test_without_an_issuer_nothing_is_said(tmp_path: Path) -> None:
    assert await check_issuer(config(tmp_path)) == []
