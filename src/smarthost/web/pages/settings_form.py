"""The form of the settings: read into the API's body, and drawn with what was typed kept.

Its fields have the contract's names. A password is in what is read alone: it is never drawn, not
even after a refusal.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from smarthost.web.errors import Refusal
from smarthost.web.pages.form import Form
from smarthost.web.pages.page import AskedInVainError, Html, PageCall, Told
from smarthost.web.pages.settings_conflict import conflict_of
from smarthost.web.pages.trial_shown import last_trial

PAGE = "settings"
CLOSED_PAGE = "settings_closed"
"""What is shown in place of the settings to who may not see them."""

TEXTS = (
    "host",
    "port",
    "senderAddress",
    "senderDisplayName",
    "credentialsUserName",
)
BOXES = ("enableSSL", "enableAuth", "useNtlm")
"""Fields that are true where they have the value `true`, and false where they have none."""
PASSWORD = "credentialsUserPassword"  # noqa: S105 - the name of a field
REVISION = "revision"

ORDER = (
    "senderAddress",
    "senderDisplayName",
    "host",
    "port",
    "enableSSL",
    "enableAuth",
    "credentialsUserName",
    PASSWORD,
    "oauth2",
    "useNtlm",
)
"""In which the page has them."""

Values = dict[str, str | bool]
Faults = Mapping[str, list[str]]

# What nearly every relay takes today (RFC 6409, RFC 8314), where nothing was saved yet.
_NEW: Values = {"port": "587", "enableSSL": True, "enableAuth": True}
_CLOSED = (HTTPStatus.PAYMENT_REQUIRED, HTTPStatus.FORBIDDEN)


def body_of(form: Form) -> dict[str, object]:
    """Return the body of `saveSmtpSettings` or `checkSmtpSettings` that a form stands for."""
    return {**values_of_form(form), PASSWORD: form.text(PASSWORD)}


def if_match_of(form: Form) -> str:
    """Return the `If-Match` of a form: the revision that it was drawn with, and no other.

    A form that names none matches nothing: it would write over what nobody has seen.
    """
    return f'"{form.text(REVISION)}"'


def values_of_form(form: Form) -> Values:
    """Return what was typed, but for the password."""
    texts = {name: form.text(name).strip() for name in TEXTS}
    return {**texts, **{name: form.text(name) == "true" for name in BOXES}}


async def settings_page(
    call: PageCall,
    *,
    form: Form | None = None,
    typed: Values | None = None,
    refusal: Refusal | None = None,
    faults: Faults | None = None,
    notice: str | None = None,
    check: object = None,
    offers: list[dict[str, Any]] | None = None,
) -> Html:
    """Draw the settings in force, or what was typed in `form` and what became of it.

    `typed` are other values for the form's fields. A `refusal` has the page's status, and its
    faults stand beside the fields; `faults` are more of them. Where others have saved meanwhile,
    a refused form gets the revision in force, and the page shows what that is: faults too may be
    there only because of it. `notice` is a word of the page's `done`, `check` is what
    `_check.html` shows, and `offers` are suggestions. Raises `AskedInVainError`.
    """
    try:
        told = await call.ask("getSmtpSettings")
    except AskedInVainError as vain:
        return closed(vain)
    in_force, revision, oauth2 = told.value, revision_of(told), None
    if not in_force["isDefaultSettings"]:
        oauth2 = (await call.ask("getSmtpOAuth2")).value
    since = None
    shown = values_of_settings(in_force) if form is None else typed or values_of_form(form)
    if form is not None and refusal is not None and form.text(REVISION) != revision:
        since = await conflict_of(call, if_match_of(form), values_of_settings(in_force), shown)
    values = {
        "v": shown,
        "revision": revision if form is None or since else form.text(REVISION),
        "in_force": in_force,
        "stored": _stored(in_force, oauth2),
        "oauth2": oauth2,
        "faults": in_order({**(faults or {}), **_fields(refusal)}, ORDER),
        "message": None if refusal is None or since or refusal.fields else refusal.message,
        "done": notice,
        "check": check,
        "trial": await last_trial(call),
        "offers": offers,
        "conflict": since,
        "unsaved": form is not None,
        "password_gone": form is not None and bool(form.text(PASSWORD)),
    }
    return answered(PAGE, values, refusal)


def values_of_settings(settings: Mapping[str, Any]) -> Values:
    """Return what the form shows of settings as the API answers them.

    The default relay is not the portal's to change: of that the form has the sender alone.
    """
    names = ("senderAddress", "senderDisplayName") if settings["isDefaultSettings"] else TEXTS
    texts = {name: str(settings.get(name, "")) if name in names else "" for name in TEXTS}
    if settings["isDefaultSettings"]:
        return {**texts, "useNtlm": False, **_NEW}
    return {**texts, **{name: settings[name] for name in BOXES}}


def in_order(faults: Faults, names: Sequence[str]) -> Faults:
    """Return the faults in the order of these names; those of others come last."""
    rank = {name: at for at, name in enumerate(names)}
    return dict(sorted(faults.items(), key=lambda one: rank.get(one[0], len(rank))))


def revision_of(told: Told) -> str:
    """Return the revision that an answer has in its `ETag`."""
    return told.headers["ETag"].strip('"')


def _stored(
    settings: Mapping[str, Any], oauth2: Mapping[str, Any] | None
) -> dict[str, str] | None:
    """Return the destination that something is stored for to log in with, None for none.

    It stays with an empty password if all of this is the same (`smtp_settings/rules.py`).
    """
    if oauth2 is None or not settings["enableAuth"]:
        return None
    return {
        "login": "oauth2" if oauth2["state"] not in ("none", "ended") else "password",
        "host": settings["host"],
        "port": str(settings["port"]),
        "enableSSL": str(settings["enableSSL"]).lower(),
        "useNtlm": str(settings["useNtlm"]).lower(),
        "credentialsUserName": settings.get("credentialsUserName", ""),
    }


def closed(vain: AskedInVainError) -> Html:
    """Say calmly that the settings are not for who asks. Raises `vain` if it is about another."""
    if vain.refusal.status not in _CLOSED:
        raise vain
    return answered(CLOSED_PAGE, {"message": vain.refusal.message, "section": PAGE}, vain.refusal)


def answered(page: str, values: dict[str, object], refusal: Refusal | None) -> Html:
    """Return a page with the status of what was refused."""
    if refusal is None:
        return Html(page=page, values=values)
    told = {name: text for name, text in refusal.headers.items() if name == "Retry-After"}
    return Html(page=page, values=values, status=refusal.status, headers=told)


def is_conflict(refusal: Refusal | None) -> bool:
    """Whether somebody else had saved meanwhile (412)."""
    return refusal is not None and refusal.status is HTTPStatus.PRECONDITION_FAILED


def _fields(refusal: Refusal | None) -> Faults:
    return {} if refusal is None else refusal.fields or {}
