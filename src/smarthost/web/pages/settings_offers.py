"""Settings that are known for an address, offered in the form to be taken over with one click.

With a script the page asks the API itself as the address is typed; this is the same without one.
"""

from http import HTTPStatus
from typing import Any

import msgspec

from smarthost.web.errors import RequestError
from smarthost.web.pages.form import Form
from smarthost.web.pages.page import AskedInVainError, Html, Page, PageCall
from smarthost.web.pages.paths import SETTINGS
from smarthost.web.pages.settings_form import settings_page, values_of_form

OFFERS = f"{SETTINGS}/offers"
_OFFER = "offer"


class _Offer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What is taken over from a suggestion; `value` of its button, as JSON."""

    host: str
    port: int
    enable_ssl: bool = msgspec.field(name="enableSSL")
    enable_auth: bool
    use_ntlm: bool
    credentials_user_name: str | None = None
    """None: what was typed stays."""


class SettingsOfferPages:
    """The page, and the form filled in."""

    async def offer(self, call: PageCall) -> Html:
        """Look for settings for the address that was typed, or fill in those that were chosen."""
        if call.form.has(_OFFER):
            return await settings_page(call, form=call.form, typed=_filled_in(call.form))
        address = call.form.text("senderAddress").strip()
        try:
            told = await call.ask("suggestSmtpSettings", query={"email": address})
        except AskedInVainError as vain:
            told_of = (vain.refusal.fields or {}).get("email", [vain.refusal.message])
            refusal = msgspec.structs.replace(vain.refusal, fields={"senderAddress": told_of})
            return await settings_page(call, form=call.form, refusal=refusal)
        return await settings_page(call, form=call.form, offers=_shown(told.value))

    def pages(self) -> list[Page]:
        """Return the rows of the table of pages."""
        return [Page(method="POST", path=OFFERS, handler=self.offer)]


def _shown(suggestions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the best of each host, with the value of its button."""
    best: dict[str, dict[str, Any]] = {}
    for one in suggestions:
        best.setdefault(one["host"], one)
    return [
        {**one, "taken": msgspec.json.encode(msgspec.convert(one, _Offer)).decode()}
        for one in best.values()
    ]


def _filled_in(form: Form) -> dict[str, str | bool]:
    try:
        offer = msgspec.json.decode(form.text(_OFFER), type=_Offer)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise RequestError(
            HTTPStatus.BAD_REQUEST, "This form or address cannot be understood."
        ) from None
    taken: dict[str, Any] = msgspec.to_builtins(offer)
    taken["port"] = str(offer.port)
    return values_of_form(form) | {name: it for name, it in taken.items() if it is not None}
