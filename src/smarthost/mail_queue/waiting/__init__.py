"""How much waits in a portal, counted without holding anybody up."""
