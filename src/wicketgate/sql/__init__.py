"""PostgreSQL's dialect: text to facts. Pure; the tree comes from PostgreSQL's own parser."""

from wicketgate.sql.errors import SyntaxRefused

__all__ = ["SyntaxRefused"]
