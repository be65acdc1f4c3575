"""Whether a portal's mail goes out: told to whoever asks, and to its administrators if not."""
