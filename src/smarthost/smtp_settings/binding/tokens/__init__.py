"""What requests for tokens came to, and the refresh tokens that they gave."""
