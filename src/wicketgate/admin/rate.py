"""How often the API may be asked. By itself, as the settings need nothing else of the ports."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Rate:
    """Requests a minute: of one actor, and from one source; as many may come at once."""

    actor: int = 1200
    source: int = 3000


USUAL: Final = Rate()
