"""Something to try in a minute: the real service beside a relay that catches all mail.

Nothing in here is a shortcut. The demo uses the service over HTTP as anybody would, so what it
shows is what an installation does.
"""
