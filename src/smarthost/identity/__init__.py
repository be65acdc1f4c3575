"""Who somebody is by the word of the operator's OpenID Connect issuer."""
