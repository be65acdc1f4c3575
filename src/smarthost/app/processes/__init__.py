"""Several processes on one machine that serve together, and the one that looks after them."""
