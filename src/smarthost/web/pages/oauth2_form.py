"""The form of OAuth2: read into the API's body, and drawn with what was typed kept.

What is secret in it is never drawn. End points of known providers are left empty in the form, so
that they stay the provider's; the page says what they are.
"""

from collections.abc import Mapping
from typing import Any

from smarthost.providers import Provider, Providers
from smarthost.web.api.smtp_oauth2_consent import redirect_uri
from smarthost.web.errors import Refusal
from smarthost.web.pages.form import Form
from smarthost.web.pages.page import AskedInVainError, Html, PageCall
from smarthost.web.pages.settings_form import PAGE as SECTION
from smarthost.web.pages.settings_form import (
    REVISION,
    answered,
    closed,
    in_order,
    is_conflict,
    revision_of,
)

PAGE = "oauth2"
SECRETS = ("clientSecret", "refreshToken", "serviceAccount")
_URLS = ("authorizationUrl", "tokenUrl", "scope")
TEXTS = ("grant", "provider", "tenant", "clientId", *_URLS, "userName", "subject")
_ORDER = (
    "grant",
    "userName",
    "clientId",
    *SECRETS,
    "subject",
    "tenant",
    "provider",
    *_URLS,
)
"""In which the page has them."""
_GRANTS = ("authorization_code", "client_credentials", "refresh_token", "service_account")


def body_of(form: Form) -> dict[str, object]:
    """Return the body of `setSmtpOAuth2` that a form stands for; empty fields are left out."""
    sent = {name: form.text(name).strip() for name in (*TEXTS, *SECRETS)}
    return {name: text for name, text in sent.items() if text}


async def oauth2_page(
    call: PageCall,
    *,
    form: Form | None = None,
    refusal: Refusal | None = None,
    notice: str | None = None,
    url: str | None = None,
) -> Html:
    """Draw how OAuth2 stands, and the form to set it up or what was typed in it.

    `notice` is a word of the page's `done`, `url` the provider's page to go to for a consent.
    After a conflict (412) the form has the revision in force: what that is, the message says.
    Raises `AskedInVainError`.
    """
    try:
        settings = (await call.ask("getSmtpSettings")).value
        told = await call.ask("getSmtpOAuth2")
    except AskedInVainError as vain:
        return closed(vain)
    state = told.value
    known = None if settings["isDefaultSettings"] else Providers.load().of_host(settings["host"])
    values = {
        "section": SECTION,
        "v": _of_state(state, settings) if form is None else _of_form(form),
        "revision": form.text(REVISION)
        if form and not is_conflict(refusal)
        else revision_of(told),
        "settings": settings,
        "state": state,
        "is_set": state["state"] not in ("none", "ended"),
        "known": known if known is not None and known.oauth2 is not None else None,
        "providers": _with_oauth2(),
        "grants": _GRANTS,
        "redirect_uri": redirect_uri(call.client),
        "faults": in_order((refusal and refusal.fields) or {}, _ORDER),
        "message": None if refusal is None or refusal.fields else refusal.message,
        "done": notice,
        "url": url,
        "secrets_gone": form is not None and any(form.text(name) for name in SECRETS),
    }
    return answered(PAGE, values, refusal)


def _of_form(form: Form) -> dict[str, str]:
    return {name: form.text(name).strip() for name in TEXTS}


def _of_state(state: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, str]:
    of_provider = _URLS if "provider" in state else ()
    shown = {name: "" if name in of_provider else state.get(name, "") for name in TEXTS}
    user = shown["userName"] or settings.get("credentialsUserName", "")
    return {
        **shown,
        "grant": shown["grant"] or _GRANTS[0],
        "userName": user or settings.get("senderAddress", ""),
    }


def _with_oauth2() -> list[Provider]:
    return [one for one in Providers.load().all if one.oauth2 is not None]
