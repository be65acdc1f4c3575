"""Signing in: passwords, failures counted, sessions; links that sign in once in `links/`."""
