"""A portal's relay: the value and its rules, its sealed password, its immutable revisions."""
