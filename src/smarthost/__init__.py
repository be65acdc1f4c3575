"""Smarthost keeps each portal's outgoing-mail settings, sealed and audited, behind an API."""

__version__ = "0.1.0"
