"""How much waits in all portals together."""
