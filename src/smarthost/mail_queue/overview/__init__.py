"""How the mail of all portals stands, for the operator alone."""
