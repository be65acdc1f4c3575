"""Makes HTML of a page's template, values and words.

Everything is escaped where it is shown (Jinja2's autoescape), an unknown name is an error and no
empty text, and templates hold no words: those are the catalogue's.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any, Self

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from smarthost.explanations.page_words import Entries, counted, filled, page_words
from smarthost.web.errors import Refusal
from smarthost.web.pages.assets import Assets
from smarthost.web.pages.field_names import without_names
from smarthost.web.pages.page import REFUSAL, Html, Reader
from smarthost.web.pages.remote_text import remote, shortened, visible

_FRAME = "frame"
# The point or comma that ends a sentence is not the URL's.
_URL = re.compile(r"(https://[^\s<>\"']*[^\s<>\"'.,;:!?)])")
# The order of the steps of a check is that of the catalogue.
_JSON = {"sort_keys": False, "ensure_ascii": False, "separators": (",", ":")}
NOBODY = Reader()
"""Whoever reads a page that is made before it is known who asks."""


class _Templates(Environment):
    """What a template reads of a mapping by a dot is an entry, and no method where there is one.

    Jinja2 looks for methods first, so that `w.clear` would be that of `dict`.
    """

    def getattr(self, obj: Any, attribute: str) -> Any:  # noqa: ANN401 - whatever is shown
        """Return the entry or the attribute of this name."""
        if isinstance(obj, Mapping) and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)


class Rendering:
    """The templates, compiled as they are first used."""

    def __init__(self) -> None:
        self._environment = _Templates(
            loader=PackageLoader("smarthost.web.pages"),
            autoescape=True,
            undefined=StrictUndefined,
            auto_reload=False,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.policies["json.dumps_kwargs"] = _JSON
        self._environment.filters |= {
            "fill": filled,
            "count": counted,
            "time": time_element,
            "remote": remote,
            "visible": visible,
            "shortened": shortened,
            "linked": linked,
            "without_names": without_names,
        }
        self._environment.globals["asset"] = Assets.load().path
        self._environment.globals["words_of"] = page_words

    @classmethod
    @cache
    def load(cls) -> Self:
        """Give the one that everybody uses."""
        return cls()

    def page(self, html: Html, reader: Reader) -> bytes:
        """Return a page for whoever asked for it."""
        return self._rendered(html.page, html.values, reader)

    def refusal(
        self,
        refusal: Refusal,
        reader: Reader = NOBODY,
        *,
        back: str | None = None,
        again: bool = False,
        number: str | None = None,
    ) -> bytes:
        """Return the page that says why there is none.

        `back` is where the reader came from; `again`: another try may go well; by
        `number` the operator finds in the log what happened.
        """
        titles = page_words(REFUSAL)["titles"]
        assert isinstance(titles, dict)  # noqa: S101 - the catalogue's own
        values = {
            "title": titles.get(str(refusal.status.value), titles["other"]),
            "message": refusal.message,
            "back": back,
            "again": again,
            "number": number,
        }
        return self._rendered(REFUSAL, values, reader)

    def onward(self, to: str) -> bytes:
        """Return the page for a browser that does not go on to `to` by itself."""
        return self._rendered("onward", {"to": to}, NOBODY)

    def _rendered(self, page: str, values: Mapping[str, object], reader: Reader) -> bytes:
        words: Entries = page_words(page)
        template = self._environment.get_template(f"{page}.html")
        frame = {
            "page": page,
            "w": words,
            "frame": page_words(_FRAME),
            "portal": None if reader.portal is None else reader.portal.name,
            "user": reader.email,
            "is_administrator": reader.is_administrator,
        }
        return template.render(values, **frame).encode()


def time_element(moment: str) -> Markup:
    """Return an ISO 8601 moment as an element, in UTC, which the script puts in local time."""
    at = datetime.fromisoformat(moment).astimezone(UTC)
    shown = at.strftime("%-d %b %Y, %H:%M:%S UTC")
    return Markup('<time datetime="{}">{}</time>').format(
        at.isoformat(timespec="milliseconds").replace("+00:00", "Z"), shown
    )


def linked(text: str) -> Markup:
    """Return a text of our own with its https URLs as links, which open beside the page."""
    link = Markup('<a href="{0}" rel="noreferrer noopener" target="_blank">{0}</a>')
    parts = _URL.split(text)
    return Markup("").join(
        link.format(part) if at % 2 else part  # `split` gives what is between and what matched
        for at, part in enumerate(parts)
    )
