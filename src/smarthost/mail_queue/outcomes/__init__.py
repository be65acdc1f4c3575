"""How a claim on a recipient ends: with an attempt's row, or as if it had never been."""
