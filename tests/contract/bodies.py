"""Bodies of a save that are right; each test changes what it is about."""

from typing import Any

OPEN: dict[str, Any] = {"host": "relay.example.com", "senderAddress": "notify@example.com"}
"""The least that can be saved."""

PASSWORD = "CANARY-5f3a9d"

LOGIN: dict[str, Any] = {
    "host": "mail.example.com",
    "port": 587,
    "senderAddress": "notify@example.com",
    "senderDisplayName": "Postman",
    "credentialsUserName": "postman",
    "credentialsUserPassword": PASSWORD,
    "enableSSL": True,
    "enableAuth": True,
    "useNtlm": False,
}
"""Every field that has a value of its own."""
