"""Moves an installation from SQLite to PostgreSQL, row by row, and proves that none differs."""
