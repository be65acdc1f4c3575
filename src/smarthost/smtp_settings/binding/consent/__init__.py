"""Somebody's consent to OAuth2, on its way to a provider's page and back."""
