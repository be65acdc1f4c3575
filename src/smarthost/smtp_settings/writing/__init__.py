"""How a revision is written, whatever it is that changes the settings."""
