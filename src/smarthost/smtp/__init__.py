"""The SMTP protocol without I/O, and the connection to one relay on top of it.

Replies, commands, extensions, dot-stuffing and SASL exchanges are pure: bytes in, values out, so
that they can be fuzzed and serve both directions. `egress` decides where a connection may go,
`connection` owns the socket, `client` speaks one SMTP session over it.
"""
