"""The HTTP entrance: the server, the JSON API and the administrator's page.

HTTP words live here and nowhere else, so that the rooms below can be used without it.
"""
