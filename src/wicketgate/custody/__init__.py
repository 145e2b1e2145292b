"""Custody of secrets: servers that keep them, and our own vault. It must never give one to a client."""
