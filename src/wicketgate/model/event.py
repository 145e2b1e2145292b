"""What happened: the closed list of the journal's line kinds (JOURNAL.md)."""

KINDS = frozenset(
    """begin open ask answer deny observed held approved withdrawn expired grant revealed drift close gone
    orphan admin seal checkpoint""".split()
)
