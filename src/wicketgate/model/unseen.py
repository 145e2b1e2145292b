"""Characters that are not seen, turn what is, or look like a space and are none: in texts that people judge.
A text of somebody else's must never be shown with one of these as it is: it would read as another text.
"""

import re
from typing import Final

_STEERING: Final = "\x00-\x1f\x7f-\x9f\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff0-\ufffb"
"""Controls, directions, zero widths."""
_BLANK: Final = (
    "\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
"""What Unicode calls ignorable by default, and letters that have no ink."""
_SPACES: Final = "\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"
"""In SQL these are letters of a name."""
_NONE: Final = "\ud800-\udfff"
"""Halves of a character."""

UNSEEN: Final = re.compile(f"[{_STEERING}{_BLANK}{_SPACES}{_NONE}]")
IN_LINES: Final = re.compile(f"(?![\t\n])[{_STEERING}{_BLANK}{_SPACES}{_NONE}]")
"""The same, but for tabs and ends of lines."""
