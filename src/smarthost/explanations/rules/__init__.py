"""The rules themselves, by what they are about."""
