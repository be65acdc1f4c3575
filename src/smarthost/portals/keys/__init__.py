"""API keys: long-lived credentials of a user, narrowed by permissions."""
