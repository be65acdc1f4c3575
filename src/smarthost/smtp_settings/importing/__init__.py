"""Settings that another program keeps, read from its file; pure: octets in, what was typed out."""
