"""Passwords that are sealed anew, since the ring has a new key."""
