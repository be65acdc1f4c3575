"""HTTP to the outside: one bounded request, out by the egress gate."""
