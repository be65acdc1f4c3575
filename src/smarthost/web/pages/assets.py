"""The files that pages load: style, script and icon, under names that change with what they hold.

So a browser may keep each for good, and never uses an old one with a new page.
"""

import hashlib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Self

import falcon
import falcon.asgi
import msgspec

from smarthost.web.pages.paths import ASSETS
from smarthost.web.resource import Resource

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_FOR_GOOD = "public, max-age=31536000, immutable"


class Asset(msgspec.Struct, frozen=True, kw_only=True):
    """One file."""

    media_type: str
    content: bytes
    digest: str
    """The first characters of its SHA-256."""


class Assets:
    """All of them, by name."""

    def __init__(self, files: Mapping[str, Asset]) -> None:
        self._files = files

    @classmethod
    @cache
    def load(cls) -> Self:
        """Read what ships with the program, once."""
        folder = resources.files("smarthost.web.pages") / "assets"
        return cls({file.name: _asset(file.name, file.read_bytes()) for file in folder.iterdir()})

    def names(self) -> list[str]:
        """Return the names of all files."""
        return sorted(self._files)

    def path(self, name: str) -> str:
        """Return the path that a page loads the file from. Raises `KeyError`."""
        return f"{ASSETS}/{self._files[name].digest}/{name}"

    def find(self, digest: str, name: str) -> Asset | None:
        """Return the file, None if there is none of this name that holds just that."""
        asset = self._files.get(name)
        return asset if asset is not None and asset.digest == digest else None


class AssetsResource(Resource):
    """The path that they are at."""

    PATH = f"{ASSETS}/{{digest}}/{{name}}"

    def __init__(self) -> None:
        super().__init__(("GET", "HEAD"))

    async def on_get(
        self, _request: falcon.asgi.Request, response: falcon.asgi.Response, digest: str, name: str
    ) -> None:
        """Answer a file, to be kept for good."""
        asset = Assets.load().find(digest, name)
        if asset is None:
            raise falcon.HTTPNotFound
        response.content_type = asset.media_type
        response.data = asset.content
        response.set_header("Cache-Control", _FOR_GOOD)

    on_head = on_get


def _asset(name: str, content: bytes) -> Asset:
    ending = name[name.rindex(".") :]
    digest = hashlib.sha256(content).hexdigest()[:12]
    return Asset(media_type=_TYPES[ending], content=content, digest=digest)
