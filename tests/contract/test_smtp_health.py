"""How a portal's mail is doing, as its administrator asks."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from smarthost.portals.model import Permission, Role
from tests.contract.bodies import OPEN
from tests.contract.relays import Inbox, refuse_login, running_relay
from tests.contract.service import EMAILS, SETTINGS, Service, running_service

HEALTH = f"{SETTINGS}/health"
_PATIENCE = 30.0
EMAIL = {"to": "jane@example.net", "subject": "Hi", "text": "Hello"}


def health(service: Service) -> Any:
    reply = service.ask("GET", HEALTH, key=service.key)
    assert reply.status == 200, reply.body
    return reply.json()["response"]


def until(service: Service, seen: Callable[[Any], bool]) -> Any:
    end = time.monotonic() + _PATIENCE
    while not seen(found := health(service)):
        assert time.monotonic() < end, found
        time.sleep(0.05)
    return found


def test_at_first_nothing_is_known(service: Service) -> None:
    assert health(service) == {"state": "unknown", "queued": 0, "held": 0}


def test_it_is_the_administrators(service: Service) -> None:
    user = service.open_user("health@example.com", Role.USER)
    assert service.ask("GET", HEALTH).status == 401
    assert service.ask("GET", HEALTH, key=service.open_key(user)).status == 403
    sender = service.open_key(None, Permission.SEND)
    assert service.ask("GET", HEALTH, key=sender).status == 403
    reader = service.open_key(None, Permission.READ)
    assert service.ask("GET", HEALTH, key=reader).status == 200


def test_a_relay_that_takes_mail_is_well_and_one_that_does_not_is_told_in_words(
    tmp_path: Path,
) -> None:
    with running_relay(Inbox()) as good, running_service(tmp_path) as service:
        save = {**OPEN, "host": "localhost", "port": good.port}
        assert service.ask("POST", SETTINGS, save, key=service.key).status == 200
        assert service.ask("POST", EMAILS, EMAIL, key=service.key).status == 200
        well = until(service, lambda found: found["state"] == "ok")
        assert (well["queued"], "lastSentAt" in well, "failure" in well) == (0, True, False)
        with running_relay(refuse_login) as bad:
            login = {
                "enableAuth": True,
                "credentialsUserName": "a",
                "credentialsUserPassword": "b",
            }
            refused = save | {"port": bad.port, **login}
            assert service.ask("POST", SETTINGS, refused, key=service.key).status == 200
            assert service.ask("POST", EMAILS, EMAIL, key=service.key).status == 200
            held = until(service, lambda found: found["state"] == "held")
        assert held["failure"]["code"] == "login_refused"
        assert held["failure"]["who"] == "administrator"
        assert held["failure"]["reply"] == "535 5.7.8 Authentication failed"
        assert held["queued"] == 1
        assert held["since"] > well["lastSentAt"]
        # Put right, it goes out at once.
        assert service.ask("POST", SETTINGS, save, key=service.key).status == 200
        assert until(service, lambda found: found["queued"] == 0)["state"] == "ok"


def test_mail_that_is_held_goes_out_once_the_settings_that_worked_are_restored(
    tmp_path: Path,
) -> None:
    with (
        running_relay(Inbox()) as good,
        running_relay(refuse_login) as bad,
        running_service(tmp_path) as service,
    ):
        login = {"enableAuth": True, "credentialsUserName": "a", "credentialsUserPassword": "b"}
        for settings in ({"port": good.port}, {"port": bad.port, **login}):
            save = {**OPEN, "host": "localhost", **settings}
            assert service.ask("POST", SETTINGS, save, key=service.key).status == 200
        assert service.ask("POST", EMAILS, EMAIL, key=service.key).status == 200
        until(service, lambda found: found["state"] == "held")
        restore = f"{SETTINGS}/history/1/restore"
        assert service.ask("POST", restore, key=service.key).status == 200
        assert until(service, lambda found: found["queued"] == 0)["state"] == "ok"


def test_the_default_relay_of_several_portals_stays_hidden(tmp_path: Path) -> None:
    with running_relay(refuse_login) as bad:
        relay = f"smtp://user:pass@localhost:{bad.port}?sender=notify@example.net"
        with running_service(
            tmp_path, BASE_DOMAIN="portals.test", DEFAULT_RELAY_URL=relay
        ) as service:
            assert service.ask("POST", EMAILS, EMAIL, key=service.key).status == 200
            held = until(service, lambda found: found["state"] == "held")
    assert "localhost" not in str(held)
    assert str(bad.port) not in str(held["failure"])
    assert "reply" not in held["failure"]
    assert held["failure"]["who"] == "operator"
