"""Makes HTML of a page's template, values and words.

Everything is escaped where it is shown (Jinja2's autoescape), an unknown name is an error and no
empty text, and templates hold no words: those are the catalogue's.
"""

from datetime import UTC, datetime
from functools import cache
from http import HTTPStatus
from typing import Self

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from smarthost.explanations.page_words import Entries, counted, filled, page_words
from smarthost.web.errors import Refusal
from smarthost.web.pages.assets import Assets
from smarthost.web.pages.page import Html, PageCall
from smarthost.web.pages.remote_text import remote, shortened, visible

_FRAME = "frame"
_REFUSAL = "refusal"


class Rendering:
    """The templates, compiled as they are first used."""

    def __init__(self) -> None:
        self._environment = Environment(
            loader=PackageLoader("smarthost.web.pages"),
            autoescape=True,
            undefined=StrictUndefined,
            auto_reload=False,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters |= {
            "fill": filled,
            "count": counted,
            "time": time_element,
            "remote": remote,
            "visible": visible,
            "shortened": shortened,
        }
        self._environment.globals["asset"] = Assets.load().path
        self._environment.globals["words_of"] = page_words

    @classmethod
    @cache
    def load(cls) -> Self:
        """Give the one that everybody uses."""
        return cls()

    def page(self, html: Html, call: PageCall) -> bytes:
        """Return a page for whoever asked for it."""
        user = None if call.caller is None else call.caller.user
        return self._rendered(
            html.page,
            {
                **html.values,
                "portal": call.portal.name,
                "user": None if user is None else user.email,
                "is_administrator": call.is_administrator,
            },
        )

    def refusal(self, refusal: Refusal) -> bytes:
        """Return the page that says why there is none."""
        words = page_words(_REFUSAL)
        titles = words["titles"]
        assert isinstance(titles, dict)  # noqa: S101 - the catalogue's own
        title = titles.get(str(refusal.status.value), titles["other"])
        return self._rendered(
            _REFUSAL,
            {
                "title": title,
                "message": refusal.message,
                "status": refusal.status.value,
                "portal": None,
                "user": None,
                "is_administrator": False,
                "again": refusal.status is not HTTPStatus.NOT_FOUND,
            },
        )

    def _rendered(self, page: str, values: dict[str, object]) -> bytes:
        words: Entries = page_words(page)
        template = self._environment.get_template(f"{page}.html")
        text = template.render(**values, page=page, w=words, frame=page_words(_FRAME))
        return text.encode()


def time_element(moment: str) -> Markup:
    """Return an ISO 8601 moment as an element, in UTC, which the script puts in local time."""
    at = datetime.fromisoformat(moment).astimezone(UTC)
    shown = at.strftime("%-d %b %Y, %H:%M:%S UTC")
    return Markup('<time datetime="{}">{}</time>').format(
        at.isoformat(timespec="milliseconds").replace("+00:00", "Z"), shown
    )
