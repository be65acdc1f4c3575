"""What comes in: rows that are only ever added."""
