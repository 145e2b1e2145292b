"""What a worker counts for the metrics, between two tellings of the control process."""


class Tally:
    """Amounts by name. A name may carry one label: `name{key=value}` (api/metrics.py takes it apart)."""

    def __init__(self) -> None:
        self._amounts: dict[str, int] = {}

    def count(self, name: str, amount: int = 1) -> None:
        """Add to one name."""
        self._amounts[name] = self._amounts.get(name, 0) + amount

    def take(self) -> dict[str, int]:
        """What was counted since the last time; it counts from nought again."""
        taken, self._amounts = self._amounts, {}
        return taken
