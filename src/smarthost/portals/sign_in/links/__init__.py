"""Signing in by a link that works once, for people who have no password yet."""
