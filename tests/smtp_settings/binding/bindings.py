"""Bindings that pass every rule, to be changed a field at a time."""

import json
from functools import cache
from typing import Any

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from smarthost.secret import Secret
from smarthost.smtp_settings.binding.model import BindingInput, EndPoints
from smarthost.smtp_settings.oauth2 import Grant

CLIENT_SECRET = "c4nary of the application"
REFRESH_TOKEN = "c4nary-refresh-0"
TOKEN_URL = "https://login.example.net/token"
EMAIL = "smarthost@project.example.net"
KNOWN = EndPoints(
    provider="example",
    authorization_url="https://login.example.net/<tenant>/authorize",
    token_url="https://login.example.net/<tenant>/token",
    scope="smtp.send offline_access",
    client_credentials_scope=".default",
)
APPLICATION = BindingInput(
    grant=Grant.CLIENT_CREDENTIALS,
    client_id="app-4711",
    client_secret=Secret(CLIENT_SECRET),
    token_url=TOKEN_URL,
    scope="smtp.send",
    user_name="notify@example.com",
)
REFRESHED = msgspec.structs.replace(
    APPLICATION, grant=Grant.REFRESH_TOKEN, refresh_token=Secret(REFRESH_TOKEN)
)
CONSENTED = msgspec.structs.replace(
    APPLICATION,
    grant=Grant.AUTHORIZATION_CODE,
    authorization_url="https://login.example.net/authorize",
)
ACCOUNT = BindingInput(
    grant=Grant.SERVICE_ACCOUNT,
    token_url=TOKEN_URL,
    scope="smtp.send",
    user_name="notify@example.com",
)


class Known:
    """Knows one provider, by the id `example` and the relay `smtp.example.net`."""

    def of_provider(self, provider_id: str) -> EndPoints | None:
        return KNOWN if provider_id == KNOWN.provider else None

    def of_host(self, host: str) -> EndPoints | None:
        return KNOWN if host == "smtp.example.net" else None


def typed(base: BindingInput = APPLICATION, /, **changes: Any) -> BindingInput:
    """`base` with other values."""
    return msgspec.structs.replace(base, **changes)


@cache
def private_key(bits: int = 2048) -> str:
    """The private half of a key, PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


def account_file(**changes: Any) -> Secret:
    """Google's file of a service account."""
    file = {
        "type": "service_account",
        "client_email": EMAIL,
        "private_key": private_key(),
        "token_uri": TOKEN_URL,
    }
    return Secret(json.dumps(file | changes))
