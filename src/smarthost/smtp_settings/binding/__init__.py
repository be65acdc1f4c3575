"""A portal's login by OAuth2: what is typed, its rules, and how it is kept and ended."""
