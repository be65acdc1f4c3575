"""A service account's private key, as Google's file has it or alone in PEM.

It is read once, as it is typed: a key that cannot sign is a fault of what was typed, not one of
some message later. No message quotes anything of it.
"""

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from smarthost.secret import Secret

LONGEST_FILE = 16_384
"""Characters of what is typed."""

# Bits. The time that it takes to check a key grows with their third power.
_SMALLEST, _LARGEST = 2048, 4096
_PEM = "-----BEGIN "


class ServiceAccount(msgspec.Struct, frozen=True, kw_only=True):
    """What a statement is signed with, and what the file says of whose it is."""

    private_key: Secret
    """PEM."""
    client_email: str | None = None
    token_uri: str | None = None
    """Both None: it was a key alone."""


class _File(msgspec.Struct):
    client_email: str
    private_key: str
    token_uri: str


def read_service_account(typed: Secret) -> ServiceAccount:
    """Return the account. Raises `ValueError` with what to type instead.

    It may take some tenths of a second.
    """
    text = typed.reveal().strip()
    if len(text) > LONGEST_FILE:
        raise ValueError(f"This may have at most {LONGEST_FILE} characters.")
    if text.startswith(_PEM):
        return ServiceAccount(private_key=_signing(text))
    try:
        file = msgspec.json.decode(text, type=_File)
    except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError):
        raise ValueError(
            "This is neither the JSON file of a service account, with client_email, private_key "
            "and token_uri, nor a private key in PEM."
        ) from None
    return ServiceAccount(
        private_key=_signing(file.private_key.strip()),
        client_email=file.client_email,
        token_uri=file.token_uri,
    )


def _signing(pem: str) -> Secret:
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError(
            "The private key cannot be read. It is RSA in PEM, and not encrypted."
        ) from None
    if not isinstance(key, RSAPrivateKey) or not _SMALLEST <= key.key_size <= _LARGEST:
        raise ValueError(f"The private key must be RSA of {_SMALLEST} to {_LARGEST} bits.")
    return Secret(pem)
