"""How described rows are masked, kept for descriptions that come again (compiled).
A plan must never outlive the catalog, the detectors or the decision that it was made with.
"""

from typing import Final

from wicketgate.masking.detect import Detectors
from wicketgate.model.decision import Decision
from wicketgate.protocols.postgres.ledger import Shape, State
from wicketgate.protocols.postgres.plan import Plan, origins_differ, plan_for
from wicketgate.sql.analysis import Analysis
from wicketgate.sql.catalog import Catalog

MOST_PLANS: Final = 256
"""Plans that a session keeps."""


class Plans:
    """One session's."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.kept: dict[tuple[bytes, Analysis, Decision], Plan | None] = {}
        self.last: Shape | None = None
        """The one that was planned last: a statement that runs again and again is not looked up."""
        self.catalog: Catalog | None = None
        self.detectors: Detectors | None = None

    def plan(self, shape: Shape, body: bytes) -> None:
        """How the rows are masked that a RowDescription of this body describes."""
        state = self.state
        catalog = state.names.environment.catalog
        detectors = state.detectors()
        kept = self.kept
        if catalog is not self.catalog or detectors is not self.detectors or len(kept) >= MOST_PLANS:
            kept.clear()
            self.last = None
            self.catalog = catalog
            self.detectors = detectors
        last = self.last
        if last is not None and last.analysis is shape.analysis and last.decision is shape.decision:
            known = last.body
            if known is not None and known == body:
                shape.body = known
                shape.plan = last.plan
                return
        key = (body, shape.analysis, shape.decision)
        if key in kept:
            shape.plan = kept[key]
        else:
            shape.plan = plan_for(body, shape.analysis, catalog, shape.decision, state.tokens, detectors)
            kept[key] = shape.plan
            for differing in origins_differ(body, shape.analysis, catalog):
                state.host.count("origins_differ")
                state.host.remark(differing)
        shape.body = body
        self.last = shape
