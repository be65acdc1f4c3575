"""Whose turn it is: one row a portal and kind, so that nobody reads through anybody's rows."""
