"""The official Python client, as its users use it: settings, keys, sessions, errors."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import docspace_api_sdk
import pytest
from docspace_api_sdk.exceptions import (
    ApiException,
    BadRequestException,
    ForbiddenException,
    NotFoundException,
    UnauthorizedException,
)

from smarthost.portals.model import Permission, Role
from tests.contract.service import ADMIN_EMAIL, ADMIN_PASSWORD, Service

# Every field of its models is optional to the type checker.
sdk: Any = docspace_api_sdk

SAVED = {
    "host": "mail.example.com",
    "port": 587,
    "sender_address": "notify@example.com",
    "sender_display_name": "Postman",
    "credentials_user_name": "postman",
    "enable_ssl": True,
    "enable_auth": True,
    "use_ntlm": False,
}

CREDENTIALS: dict[str, Callable[[Service], dict[str, Any]]] = {
    "cookie": lambda service: {"api_key": {"asc_auth_key": f"asc_auth_key={service.key}"}},
    "bearer": lambda service: {"access_token": service.key},
    "ApiKeyBearer": lambda service: {"api_key": {"ApiKeyBearer": service.key}},
    "basic": lambda _service: {"username": ADMIN_EMAIL, "password": ADMIN_PASSWORD},
    "all": lambda service: {
        "api_key": {
            "asc_auth_key": f"asc_auth_key={service.key}",
            "ApiKeyBearer": service.key,
        },
        "access_token": service.key,
        "username": ADMIN_EMAIL,
        "password": ADMIN_PASSWORD,
    },
}


def client(service: Service, **credentials: Any) -> Any:
    return sdk.ApiClient(sdk.Configuration(host=service.url, **credentials))


def told_by(error: ApiException) -> Any:
    return json.loads(error.body or "")


@pytest.fixture
def settings(service: Service) -> Iterator[Any]:
    """The settings through an administrator's key, from the installation's default on."""
    api = sdk.SMTPSettingsApi(client(service, access_token=service.key))
    api.reset_smtp_settings()
    yield api
    api.api_client.rest_client.pool_manager.clear()


@pytest.mark.parametrize("form", CREDENTIALS.values(), ids=CREDENTIALS)
def test_every_form_of_credentials_of_the_client_is_taken(
    service: Service, form: Callable[[Service], dict[str, Any]]
) -> None:
    api = sdk.SMTPSettingsApi(client(service, **form(service)))

    assert api.get_smtp_settings().status_code == 200


def test_settings_are_saved_read_and_reset(settings: Any) -> None:
    first = settings.get_smtp_settings()
    assert first.response.is_default_settings is True
    assert (first.response.host, first.response.port) == (None, 25)

    saved = settings.save_smtp_settings(
        sdk.SmtpSettingsDto(**SAVED, credentials_user_password="correct horse")
    )
    expected = sdk.SmtpSettingsDto(
        **SAVED, credentials_user_password="", is_default_settings=False
    )
    assert (saved.status, saved.status_code, saved.count) == (0, 200, 1)
    assert saved.response == expected
    assert saved.links[0].action == "POST"
    assert saved.links[0].href.endswith("/api/2.0/smtpsettings/smtp")
    assert settings.get_smtp_settings().response == expected

    assert settings.reset_smtp_settings().response.is_default_settings is True


def test_what_the_client_has_read_it_can_save(settings: Any) -> None:
    settings.save_smtp_settings(
        sdk.SmtpSettingsDto(**SAVED, credentials_user_password="correct horse")
    )
    read = settings.get_smtp_settings().response
    read.sender_display_name = None

    assert settings.save_smtp_settings(read).response.sender_display_name is None


def test_the_least_that_can_be_saved(settings: Any) -> None:
    sent = sdk.SmtpSettingsDto(
        host="mail.example.com", sender_address="notify@example.com", port=None
    )

    answered = settings.save_smtp_settings(sent).response
    assert (answered.port, answered.credentials_user_name) == (25, None)


def test_a_refused_save_tells_each_field(settings: Any) -> None:
    with pytest.raises(BadRequestException) as caught:
        settings.save_smtp_settings(sdk.SmtpSettingsDto(host="smtp://x", sender_address="nobody"))

    told = told_by(caught.value)
    assert caught.value.status == 400
    assert set(told["response"]["errors"]) == {"host", "senderAddress"}
    assert "host" in told["error"]["message"]


def test_nobody_is_unauthorized(service: Service) -> None:
    for credentials in ({}, {"access_token": "wrong"}, {"api_key": {"ApiKeyBearer": "wrong"}}):
        with pytest.raises(UnauthorizedException) as caught:
            sdk.SMTPSettingsApi(client(service, **credentials)).get_smtp_settings()

        assert told_by(caught.value)["error"]["type"] == "unauthorized"
        assert (caught.value.headers or {})["X-RateLimit-Limit"] == "1500"


def test_a_key_without_the_permission_is_forbidden(service: Service) -> None:
    key = service.open_key(None, Permission.SEND)

    with pytest.raises(ForbiddenException) as caught:
        sdk.SMTPSettingsApi(client(service, access_token=key)).get_smtp_settings()
    assert "'read'" in told_by(caught.value)["error"]["message"]


def test_switched_off_settings_are_402(service: Service, settings: Any) -> None:
    service.allow_settings(service.portal, allowed=False)
    try:
        with pytest.raises(ApiException) as caught:
            settings.get_smtp_settings()
    finally:
        service.allow_settings(service.portal, allowed=True)

    assert caught.value.status == 402
    assert "operator" in told_by(caught.value)["error"]["message"]


def test_keys_are_made_used_listed_and_revoked(service: Service) -> None:
    keys = sdk.ApiKeysApi(client(service, access_token=service.key))
    made = keys.create_api_key(
        sdk.CreateApiKeyRequestDto(name="shop", permissions=["read"], expires_in_days=30)
    ).response
    life = made.expires_at.utc_time - datetime.now(UTC)
    assert timedelta(days=29) < life <= timedelta(days=30)
    assert (made.name, made.permissions, made.is_active) == ("shop", ["read"], True)
    assert made.key.endswith(made.key_postfix)
    assert made.create_by.display_name == ADMIN_EMAIL

    sdk.SMTPSettingsApi(client(service, access_token=made.key)).get_smtp_settings()
    listed = {key.id: key for key in keys.get_api_keys().response}
    assert listed[made.id].key is None
    assert listed[made.id].last_used.utc_time <= datetime.now(UTC)

    assert keys.delete_api_key(made.id).response is True
    with pytest.raises(NotFoundException):
        keys.delete_api_key(made.id)
    with pytest.raises(UnauthorizedException):
        sdk.SMTPSettingsApi(client(service, access_token=made.key)).get_smtp_settings()


def test_a_key_needs_permissions(service: Service) -> None:
    keys = sdk.ApiKeysApi(client(service, access_token=service.key))

    with pytest.raises(BadRequestException) as caught:
        keys.create_api_key(sdk.CreateApiKeyRequestDto(name="shop"))
    assert set(told_by(caught.value)["response"]["errors"]) == {"permissions"}


def test_a_session_is_begun_used_and_ended(service: Service) -> None:
    api = sdk.AuthenticationApi(client(service))
    begun = api.authenticate_me(
        sdk.AuthRequestsDto(user_name=ADMIN_EMAIL, password=ADMIN_PASSWORD)
    )
    token = begun.response.token
    assert begun.response.expires > datetime.now(UTC)

    # The client sends no credentials of its configuration here.
    own = sdk.ApiClient(sdk.Configuration(host=service.url), "Authorization", f"Bearer {token}")
    signed_in = sdk.AuthenticationApi(own)
    assert signed_in.get_is_authentificated().response is True
    sdk.SMTPSettingsApi(client(service, access_token=token)).get_smtp_settings()

    ended = signed_in.logout()
    assert (ended.status_code, ended.count, ended.response) == (200, 0, None)
    with pytest.raises(UnauthorizedException):
        signed_in.get_is_authentificated()


def test_a_wrong_password_is_unauthorized_in_words(service: Service) -> None:
    api = sdk.AuthenticationApi(client(service))

    with pytest.raises(UnauthorizedException) as caught:
        api.authenticate_me(sdk.AuthRequestsDto(user_name=ADMIN_EMAIL, password="wrong"))
    assert "password is wrong" in told_by(caught.value)["error"]["message"]


def test_a_user_who_is_no_administrator_is_forbidden(service: Service) -> None:
    key = service.open_key(service.open_user("user@example.com", Role.USER))

    with pytest.raises(ForbiddenException):
        sdk.SMTPSettingsApi(client(service, access_token=key)).reset_smtp_settings()
