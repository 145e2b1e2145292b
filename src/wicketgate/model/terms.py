"""What a statement's review must be like: who decides, how one waits for it, what an approval is good for.
Pure. What several terms come to must never be weaker than any of them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from wicketgate.model.review import Panel

MODES: Final = ("wait", "retry")
"""wait: the statement is held until somebody has answered. retry: it is refused at once, and passes when it
is sent again once it is approved."""
BINDS: Final = ("statement", "shape")
"""What an approval of a shape may cover: the very statement alone, or what differs from it in constants."""


@dataclass(frozen=True, slots=True)
class Terms:
    """within: seconds until it expires. in_transaction: the mode where the session has a transaction open.
    reason: the asker must give one. shape: see BINDS. usable: seconds that an approval can be used for; None:
    as long as `within`."""

    panels: tuple[Panel, ...]
    within: int
    mode: str = MODES[0]
    in_transaction: str = MODES[1]
    reason: bool = False
    shape: bool = False
    message: str = ""
    usable: int | None = None

    @property
    def lasts(self) -> int:
        """Seconds that an approval can be used for after it is given."""
        return self.within if self.usable is None else self.usable

    @property
    def rules(self) -> tuple[str, ...]:
        """Who asks for it, each once, in the order of names."""
        return tuple(sorted({panel.rule for panel in self.panels}))

    def seats(self) -> str:
        """Who may approve, for people."""
        return "; ".join(_seats(panel) for panel in self.panels)

    def told(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "panels": [
                {
                    "rule": panel.rule,
                    "names": sorted(panel.names),
                    "groups": sorted(panel.groups),
                    "quorum": panel.quorum,
                    "all_groups": panel.all_groups,
                }
                for panel in self.panels
            ],
            "within": self.within,
            "mode": self.mode,
            "in_transaction": self.in_transaction,
            "reason": self.reason,
            "shape": self.shape,
            "message": self.message,
            "usable": self.usable,
        }


def terms_of(told: Mapping[str, Any]) -> Terms:
    """What `told` made. Raises KeyError, TypeError, ValueError."""
    panels = tuple(
        Panel(
            str(each["rule"]),
            frozenset(str(name) for name in each["names"]),
            frozenset(str(name) for name in each["groups"]),
            int(each["quorum"]),
            bool(each["all_groups"]),
        )
        for each in told["panels"]
    )
    within = int(told["within"])
    usable = None if told["usable"] is None else int(told["usable"])
    if not panels or min(within, within if usable is None else usable) < 1 or told["mode"] not in MODES:
        raise ValueError("terms that nobody could meet")
    return Terms(
        panels,
        within,
        str(told["mode"]),
        str(told["in_transaction"]),
        bool(told["reason"]),
        bool(told["shape"]),
        str(told["message"]),
        usable,
    )


def together(many: Iterable[Terms]) -> Terms | None:
    """All of them at once: every panel, the strictest mode, the shortest times. None of none."""
    found = list(many)
    if not found:
        return None
    panels = {panel: None for terms in found for panel in terms.panels}
    messages = {terms.message: None for terms in found if terms.message}
    return Terms(
        tuple(sorted(panels, key=lambda panel: (panel.rule, sorted(panel.names), sorted(panel.groups)))),
        min(terms.within for terms in found),
        "retry" if any(terms.mode == "retry" for terms in found) else "wait",
        "retry" if any(terms.in_transaction == "retry" for terms in found) else "wait",
        any(terms.reason for terms in found),
        all(terms.shape for terms in found),
        " ".join(messages),
        None if all(terms.usable is None for terms in found) else min(terms.lasts for terms in found),
    )


def _seats(panel: Panel) -> str:
    who = [*(f"group {name}" for name in sorted(panel.groups)), *sorted(panel.names)]
    if panel.all_groups and len(panel.groups) > 1:
        return f"{max(panel.quorum, len(panel.groups))} of {', '.join(who)}, one of each group"
    return f"{panel.quorum} of {', '.join(who)}" if panel.quorum > 1 else " or ".join(who)
