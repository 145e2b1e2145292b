"""What parsing refuses, as an exception with a message for the client."""


class SyntaxRefused(Exception):
    """A text that is not analysed: it does not parse, is too large, too deep, or no valid text at all.

    message: for the client. position: 1-based character offset of a syntax error as PostgreSQL counts it,
    or None.
    kind: `syntax`, or `too-large` for size and depth.
    """

    def __init__(self, message: str, position: int | None = None, kind: str = "syntax") -> None:
        super().__init__(message)
        self.message = message
        self.position = position
        self.kind = kind
