"""Events that a portal's receiver has not taken yet."""
