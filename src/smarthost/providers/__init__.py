"""What is known about mail providers: a table of facts, and how one of its rows is found.

Pure: it asks no network and no store. The facts are in `providers.json`; nothing reads that file
before the first `Providers.load()`.
"""

from smarthost.providers.model import Checked, Kind, Limits, Login, OAuth2, Provider
from smarthost.providers.table import Providers

__all__ = ["Checked", "Kind", "Limits", "Login", "OAuth2", "Provider", "Providers"]
