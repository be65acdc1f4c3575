"""The text of an HTML body, for readers that show none, and for spam filters that want one.

It is made in one pass that never looks back, so that no HTML, however broken, takes longer than it
is long. It is no browser: what a page does by style sheets is not seen.
"""

import re
from html import unescape

LONGEST = 262_144
"""Characters of HTML that a text is made from; longer HTML stands alone."""

# What no reader sees (a comment, a declaration, an element that holds no text), or a tag with its
# attributes, which may have ">" in quotation marks. The search is linear: what is unseen always
# ends, at the latest with the HTML, and a tag reaches over no "<" and gives nothing back.
_MARKUP = re.compile(
    r"""<!--[\s\S]*?(?:-->|\Z)
    |<[!?][^<>]*+>?
    |<(head|script|style|template|title)\b[\s\S]*?(?:</\1\b[^<>]*+>?|\Z)
    |<(/?)([a-z][a-z0-9]*+)((?:"[^"<]*+"|'[^'<]*+'|[^"'<>])*+)>""",
    re.IGNORECASE | re.VERBOSE,
)
_LINK = re.compile(r"""\bhref\s{0,9}=\s{0,9}(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""", re.IGNORECASE)
_ALT = re.compile(r"""\balt\s{0,9}=\s{0,9}(?:"([^"]*)"|'([^']*)')""", re.IGNORECASE)
_PARAGRAPHS = frozenset(
    {"blockquote", "dl", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "ol", "p", "pre", "table", "ul"}
)
_LINES = frozenset(
    {
        "address", "article", "aside", "body", "br", "center", "dd", "div", "dt", "figure",
        "footer", "form", "header", "html", "li", "main", "nav", "section", "tr",
    }
)  # fmt: skip
_MEANT = _PARAGRAPHS | _LINES | {"a", "img", "td", "th"}
# Beyond any character, and more than Python reads as a number.
_TOO_LONG = re.compile(r"&#[0-9]{100,}+;?")
_BLANKS = re.compile(r"[ \t\r\n\f\xa0]+")
_LINKED = ("http://", "https://", "mailto:")


def plain_text(html: str) -> str:
    """Give the text in lines, paragraphs parted by an empty line; empty if there is none to see.

    A link has its address behind it in round brackets, an image its description. HTML of more
    than `LONGEST` characters gives an empty text.
    """
    if len(html) > LONGEST:
        return ""
    text = _Text()
    # Each text, and the four groups of the markup behind it.
    pieces = _MARKUP.split(html)
    text.take(pieces[0])
    for at in range(1, len(pieces), 5):
        _, slash, tag, attributes, piece = pieces[at : at + 5]
        if tag and (name := tag.lower()) in _MEANT:
            text.tag(name, attributes, closing=slash == "/")
        if piece:
            text.take(piece)
    return text.finished()


class _Text:
    def __init__(self) -> None:
        self._lines: list[str] = []
        self._line: list[str] = []
        self._link = ""
        self._link_text: list[str] = []

    def take(self, piece: str) -> None:
        words = _unescaped(piece)
        self._line.append(words)
        if self._link:
            self._link_text.append(words)

    def tag(self, name: str, attributes: str, *, closing: bool) -> None:
        if name in _PARAGRAPHS or name in _LINES:
            # A paragraph that begins a point of a list stays on its line.
            if closing or self._line != ["- "]:
                self._end_line(paragraph=name in _PARAGRAPHS)
            if name == "li" and not closing:
                self._line = ["- "]
        elif name in {"td", "th"}:
            self._line.append(" ")
        elif name == "img" and (alt := _ALT.search(attributes)):
            self.take(alt[1] or alt[2] or "")
        elif name == "a":
            self._end_link()
            if not closing and (link := _LINK.search(attributes)):
                self._link = _unescaped(link[1] or link[2] or link[3] or "").strip()

    def finished(self) -> str:
        self._end_link()
        self._end_line()
        text = "\n".join(self._lines).strip("\n")
        return f"{text}\n" if text else ""

    def _end_line(self, *, paragraph: bool = False) -> None:
        line = _BLANKS.sub(" ", "".join(self._line)).strip(" ")
        self._line = []
        if line and line != "-":
            self._lines.append(line)
        if paragraph and self._lines and self._lines[-1]:
            self._lines.append("")

    def _end_link(self) -> None:
        shown = _BLANKS.sub(" ", "".join(self._link_text)).strip(" ")
        if self._link.lower().startswith(_LINKED) and shown not in _same_as(self._link):
            self._line.append(f" ({self._link})")
        self._link = ""
        self._link_text.clear()


def _unescaped(text: str) -> str:
    return unescape(_TOO_LONG.sub("\ufffd", text)) if "&" in text else text


def _same_as(link: str) -> tuple[str, ...]:
    return (link, link.rstrip("/"), link.partition(":")[2].lstrip("/").rstrip("/"))
