"""How a command ends: exit codes that scripts can use, and errors of one line."""

from typing import Final, NoReturn

OK: Final = 0
NEGATIVE: Final = 1
"""The answer is no: a check or a verification failed, the thing does not exist, it can't be done."""
USAGE: Final = 2
UNREACHABLE: Final = 3
"""The gateway (or its store) does not answer."""
NOT_ALLOWED: Final = 4
UNWITNESSED: Final = 5
"""A verification found nothing wrong, and not everything proven: nothing that was signed leads to it."""
MOVED: Final = 6
"""What was to be changed is not any more what the change was made against: somebody was faster."""


class Ended(Exception):
    """Ends the command: message (one line or several, no secret in it) on standard error, code as above."""

    def __init__(self, message: str, code: int = NEGATIVE) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


def end(message: str, code: int = NEGATIVE) -> NoReturn:
    raise Ended(message, code)
