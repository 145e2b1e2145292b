"""Real servers for tests, the bench and the demo: each in its own folder, on a free port, gone at the end.

`postgres` starts PostgreSQL from given binaries, `pgbouncer` a pooler, `certificates` makes a test CA,
`planted` holds the database with recognisable sensitive values. Nothing here uses
a server that it did not start.
"""
