"""What OAuth2 has sealed beside the settings, under a new key."""
