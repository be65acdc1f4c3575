"""What a check is answered with, as documentation shows it."""

from typing import Any

from smarthost.web.operations import Example


def _step(step: str, state: str, milliseconds: float, **seen: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"step": step, "state": state, "milliseconds": milliseconds, "seen": seen}


def _skipped(*steps: str) -> list[dict[str, Any]]:
    return [_step(step, "skipped", 0.0) for step in steps]


_EXTENSIONS = ["8BITMIME", "PIPELINING", "ENHANCEDSTATUSCODES"]
_CERTIFICATE = {
    "subject": "CN=mail.example.com",
    "issuer": "CN=Example CA,O=Example",
    "names": ["mail.example.com"],
    "notBefore": "2026-10-01T00:00:00Z",
    "notAfter": "2026-12-30T00:00:00Z",
    "daysLeft": 36,
}
_LOGIN = {"mechanisms": ["PLAIN", "LOGIN"], "mechanism": "PLAIN"}
_OPENED = [
    _step("resolve", "ok", 3.1, addresses=["192.0.2.25"]),
    _step("connect", "ok", 12.3, address="192.0.2.25", port=465),
    _step(
        "tls",
        "ok",
        25.8,
        version="TLSv1.3",
        cipher="TLS_AES_256_GCM_SHA384",
        verified=True,
        certificate=_CERTIFICATE,
    ),
    _step("greeting", "ok", 11.9, banner="220 mail.example.com ESMTP"),
    _step(
        "ehlo",
        "ok",
        12.0,
        extensions=_EXTENSIONS,
        mechanisms=["PLAIN", "LOGIN"],
        sizeLimit=52428800,
    ),
]
_PASSED = {
    "ok": True,
    "steps": [
        *_OPENED,
        _step("authenticate", "ok", 40.2, **_LOGIN),
        _step("sender", "ok", 12.4, reply="250 2.1.0 Ok"),
        _step("recipient", "ok", 12.5, replies=["250 2.1.5 Ok"]),
    ],
    "warnings": [],
    "saved": True,
    "revision": 7,
}
_FAILURE = {
    "step": "authenticate",
    "code": "login_refused",
    "title": "mail.example.com refused the login",
    "why": "It does not know this user name with this password, or does not let this account log "
    "in so.",
    "fix": "Type the password again (credentialsUserPassword) and check the user name "
    "(credentialsUserName), which is often the whole e-mail address. Where the account has "
    "two-step sign-in, the provider gives out an app password for this.",
    "who": "administrator",
    "fields": ["credentialsUserPassword", "credentialsUserName"],
    "reply": "535 5.7.8 Authentication failed",
    "permanent": True,
}
_REFUSED_LOGIN = _step("authenticate", "failed", 2041.7, **_LOGIN)
_FAILED = {
    "ok": False,
    "steps": [*_OPENED, _REFUSED_LOGIN, *_skipped("sender", "recipient")],
    "failure": _FAILURE,
    "warnings": [],
    "saved": False,
}

ANSWERS = {
    "passed": Example(summary="Mail would go out, and the settings were saved", value=_PASSED),
    "failed": Example(summary="The relay refused the login", value=_FAILED),
}


EVENTS = {
    "begun": Example(
        summary="A step begins", value=("step", {"step": "tls", "state": "begin", "seen": {}})
    ),
    "ended": Example(summary="A step has ended", value=("step", _REFUSED_LOGIN)),
    **{
        name: Example(summary=example.summary, value=("result", example.value))
        for name, example in ANSWERS.items()
    },
}
