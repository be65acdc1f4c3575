"""The operator's settings: environment and file, read once into a frozen `Config`.

All faults are found together and named by the setting they are in. Nothing below reads the
environment a second time, so what a process does cannot change under it.
"""

from smarthost.config.faults import ConfigError, Fault
from smarthost.config.load import load_config
from smarthost.config.model import (
    Config,
    DefaultRelay,
    ListenAddress,
    OpenIdConnect,
    RelayNetworks,
    TlsFiles,
)
from smarthost.config.settings import SETTINGS, Setting

__all__ = [
    "SETTINGS",
    "Config",
    "ConfigError",
    "DefaultRelay",
    "Fault",
    "ListenAddress",
    "OpenIdConnect",
    "RelayNetworks",
    "Setting",
    "TlsFiles",
    "load_config",
]
