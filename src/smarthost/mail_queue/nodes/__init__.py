"""The nodes that deliver from one PostgreSQL together, and what becomes of one that is gone."""
