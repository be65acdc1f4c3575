"""Where the pages are, and the files that they load."""

HOME = "/"
SIGN_IN = "/sign-in"
SETTINGS = "/settings"
OAUTH2 = "/settings/oauth2"
HISTORY = "/history"
MAIL = "/mail"
KEYS = "/keys"
ASSETS = "/assets"
PLACES = (SETTINGS, HISTORY, MAIL, KEYS)
"""Where somebody who is signed in can be."""
