"""All words of pages are the catalogue's, each of them is used, and none is asked for in vain.

Templates are read as Jinja2 does, so that a word that only a rare branch shows is found too.
"""

import ast
import string
from collections.abc import Collection, Iterator
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from jinja2 import Environment, nodes

from smarthost.explanations.page_words import Entry, page_words

_WEB = Path(str(resources.files("smarthost.web.pages")))
_FOLDER = Path(str(resources.files("smarthost.explanations"))) / "words" / "en" / "pages"
_TEMPLATES = {path.stem: path for path in (_WEB / "templates").glob("*.html")}
_PAGES = sorted(path.stem for path in _FOLDER.glob("*.json"))
_FRAME = "frame"
_COUNT = {"one", "other"}
# What a browser shows or reads out of a tag's attributes.
_SHOWN = ("alt", "aria-label", "aria-description", "title", "placeholder", "label", "content")
_TOLD_TO_PROGRAMS = {"width=device-width, initial-scale=1", "light dark"}
_CODE = ("code", "pre", "kbd", "script", "style")


def tree(name: str) -> nodes.Template:
    return Environment(autoescape=True).parse(_TEMPLATES[name].read_text(encoding="utf-8"))


def shown_by(page: str) -> set[str]:
    """The keys of its words that a page shows, by its template and by all that this takes in."""
    own = {block.name for block in tree(page).find_all(nodes.Block)}
    taken = {name: own if name != page else set() for name in _templates_of(page)}
    return set().union(*(read_of("w", name, without) for name, without in taken.items()))


def _templates_of(page: str) -> set[str]:
    kinds: Any = (nodes.Extends, nodes.Include, nodes.Import, nodes.FromImport)
    found, new = set[str](), {page}
    while new:
        found |= new
        taken = (
            node.template.value
            for name in new
            for node in tree(name).find_all(kinds)
            if isinstance(node.template, nodes.Const)
        )
        new = {name.removesuffix(".html") for name in taken} - found
    return found


def read_of(variable: str, template: str, without: Collection[str] = ()) -> set[str]:
    """The keys that `template` reads of what it has as `variable`, outside of these blocks."""
    return {
        key
        for node in _nodes(tree(template), without)
        for name, key in [_read(node)]
        if name == variable and key is not None
    }


def _nodes(node: nodes.Node, without: Collection[str]) -> Iterator[nodes.Node]:
    yield node
    for child in node.iter_child_nodes():
        if not (isinstance(child, nodes.Block) and child.name in without):
            yield from _nodes(child, without)


def _read(node: nodes.Node | None) -> tuple[str | None, str | None]:
    """Return what is read from which variable, if that is what `node` does."""
    if isinstance(node, nodes.Getattr) and isinstance(node.node, nodes.Name):
        return node.node.name, node.attr
    if isinstance(node, nodes.Getitem) and isinstance(node.node, nodes.Name):
        return node.node.name, node.arg.value if isinstance(node.arg, nodes.Const) else None
    return None, None


def words_in_code(page: str) -> set[str]:
    """The keys that modules of pages read out of the catalogue: texts in brackets."""
    keys = set(page_words(page))
    return {
        node.slice.value
        for path in _WEB.glob("*.py")
        if "page_words" in (source := path.read_text(encoding="utf-8"))
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Subscript)
        and isinstance(node.slice, ast.Constant)
        and node.slice.value in keys
    }


def _shared(template: str) -> dict[str, str]:
    """The words of no page that a template takes by name, by the variable that it has for them."""
    return {
        node.target.name: node.node.args[0].value
        for node in tree(template).find_all(nodes.Assign)
        if isinstance(node.target, nodes.Name)
        and isinstance(node.node, nodes.Call)
        and isinstance(node.node.node, nodes.Name)
        and node.node.node.name == "words_of"
        and isinstance(node.node.args[0], nodes.Const)
    }


_SHARED = sorted({words for name in _TEMPLATES for words in _shared(name).values()})


def test_every_page_has_a_template_and_every_template_words() -> None:
    pages = {name for name in _TEMPLATES if not name.startswith("_") and name != "base"}
    assert pages == set(_PAGES) - {_FRAME, *_SHARED}


@pytest.mark.parametrize("shared", _SHARED)
def test_shared_words_are_those_that_templates_show(shared: str) -> None:
    shown = {
        key
        for name in _TEMPLATES
        for variable, words in _shared(name).items()
        if words == shared
        for key in read_of(variable, name)
    }
    there = set(page_words(shared))
    assert shown - there == set(), "asked for in vain"
    assert there - shown - words_in_code(shared) == set(), "used nowhere"


@pytest.mark.parametrize("page", [page for page in _PAGES if page not in (_FRAME, *_SHARED)])
def test_the_words_of_a_page_are_those_that_it_shows(page: str) -> None:
    shown, there = shown_by(page), set(page_words(page))
    assert shown - there == set(), "asked for in vain"
    assert there - shown - words_in_code(page) == set(), "used nowhere"


def test_the_words_of_the_frame_are_those_that_templates_show() -> None:
    shown = set().union(*(read_of(_FRAME, name) for name in _TEMPLATES))
    there = set(page_words(_FRAME))
    assert shown - there == set(), "asked for in vain"
    assert there - shown - words_in_code(_FRAME) == set(), "used nowhere"


@pytest.mark.parametrize("template", sorted(_TEMPLATES))
def test_what_is_filled_into_a_text_is_what_it_has_room_for(template: str) -> None:
    for node in tree(template).find_all(nodes.Filter):
        entry = _entry(node.node, template)
        if node.name == "count" and entry is not None:
            assert isinstance(entry, dict)
            assert set(entry) == _COUNT
            assert _room_in(entry["other"]) <= {"count"}
        elif isinstance(entry, str):
            given = {keyword.key for keyword in node.kwargs} if node.name == "fill" else set()
            assert _room_in(entry) == given, entry


def _entry(node: nodes.Node | None, template: str) -> Entry | None:
    variable, key = _read(node)
    page = {"w": template, "frame": _FRAME}.get(variable or "")
    return None if page not in _PAGES or key is None else page_words(page).get(key)


def _room_in(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("template", sorted(_TEMPLATES))
def test_a_template_has_no_words_of_its_own(template: str) -> None:
    reader = _Words()
    texts = tree(template).find_all(nodes.TemplateData)
    reader.feed("\N{OBJECT REPLACEMENT CHARACTER}".join(text.data for text in texts))
    reader.close()
    assert reader.found == []


class _Words(HTMLParser):
    """Finds what people would read that stands in the template itself."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._in_code = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in_code += tag in _CODE
        for name, value in attrs:
            shown = name in _SHOWN or name.startswith("data-confirm")
            if shown and value not in _TOLD_TO_PROGRAMS:
                self._look(value or "")

    def handle_endtag(self, tag: str) -> None:
        self._in_code -= tag in _CODE

    def handle_data(self, data: str) -> None:
        if not self._in_code:
            self._look(data)

    def _look(self, text: str) -> None:
        if any(character.isalpha() for character in text):
            self.found.append(text.strip())


@pytest.mark.parametrize("page", _PAGES)
def test_a_text_has_no_markup_and_no_blanks_around(page: str) -> None:
    for key, entry in page_words(page).items():
        for text in [entry] if isinstance(entry, str) else entry.values():
            assert text == text.strip() != "", key
            assert not set(text) & set("<>&\t\n"), key


@pytest.mark.parametrize(
    ("html", "found"),
    [
        ("<p>Read me</p>", ["Read me"]),
        ('<img alt="Read me">', ["Read me"]),
        ('<button data-confirm="Read me">', ["Read me"]),
        ("<p>\N{OBJECT REPLACEMENT CHARACTER} · 1</p>", []),
        ("<p><code>smarthost user link</code></p>", []),
    ],
)
def test_words_in_a_template_are_found(html: str, found: list[str]) -> None:
    reader = _Words()
    reader.feed(html)
    assert reader.found == found
