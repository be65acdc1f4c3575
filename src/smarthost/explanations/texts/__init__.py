"""The texts themselves, by what they are about."""
