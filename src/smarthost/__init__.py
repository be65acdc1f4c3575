"""Smarthost keeps each portal's outgoing-mail settings, proves them, and sends mail by them."""

__version__ = "0.1.0"
