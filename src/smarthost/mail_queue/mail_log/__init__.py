"""The portal's mail, searched and filtered a page at a time."""
