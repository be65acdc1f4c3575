"""What became of a portal's mail, counted by the hour in the moment that it becomes of it."""
