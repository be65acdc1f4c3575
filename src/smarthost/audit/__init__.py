"""What was done to a portal's settings, users and keys, by whom and from where."""
