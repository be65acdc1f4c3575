"""The words of mail: addresses, hosts and what is made of them.

Everything here is pure: text in, values out, no network and no storage. A value that this room
has made needs no second check further up.
"""
