"""The HTTP entrance: the server, the way of a request, and the JSON API.

HTTP words live here and nowhere else, so that the rooms below can be used without it.
"""
