"""`make demo`: a real PostgreSQL with a sales database, the gateway before it, and an agent's session through it."""
