"""The settings of all portals, for the operator alone."""
