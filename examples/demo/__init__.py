"""`make demo`: a real PostgreSQL with a sales database, the gateway, and an agent's session through it."""
