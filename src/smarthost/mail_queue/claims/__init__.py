"""How a worker takes messages: several of one portal together, each with its own recipients."""
