"""Who is asking: portals, their users, API keys and sessions, and what each may do."""
