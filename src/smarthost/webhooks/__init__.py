"""Tells a portal's application what became of its mail: events, signed and delivered over HTTP."""
