"""One rule of a policy, checked: whom and what it speaks of, and what it says. Data; controls act on it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from wicketgate.model.decision import Limit
from wicketgate.model.identity import Identity
from wicketgate.model.statement import Effect
from wicketgate.model.terms import Terms
from wicketgate.policy.conditions import Asking, Condition, Context, Memo
from wicketgate.policy.document import Place
from wicketgate.policy.on_request import OnRequest
from wicketgate.policy.truth import Truth, every


@dataclass(frozen=True, slots=True)
class Identities:
    """Whom a rule speaks of: everybody, or those with one of the names or in one of the groups."""

    everybody: bool = True
    names: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()

    def match(self, identity: Identity) -> bool:
        return self.everybody or identity.name in self.names or not self.groups.isdisjoint(identity.groups)


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """A line of policy.

    accounts: resource -> the accounts on it that the rule speaks of; for a rule that permits, the one that it
        offers. Resources that are not in it are not spoken of.
    databases: None: all of them.
    permit: effects that it lets through. mask: data class (or `*`) -> transform. reveal: classes (or `*`).
    resolve: tokens that its mask gives out may be stored as the values that they stand for.
    deny: the message; None: it does not deny. review: who has to look before.
    observe: it only records what it would have done.
    on_request: it holds only while a grant of it is in force. waives: what it permits needs no review then.
    """

    name: str
    place: Place
    identities: Identities
    accounts: Mapping[str, frozenset[str]]
    databases: frozenset[str] | None = None
    when: Condition | None = None
    permit: frozenset[Effect] = frozenset()
    mask: Mapping[str, str] = field(default_factory=dict)
    reveal: frozenset[str] = frozenset()
    resolve: bool = False
    limits: tuple[Limit, ...] = ()
    deny: str | None = None
    review: Terms | None = None
    observe: bool = False
    on_request: OnRequest | None = None
    waives: bool = False

    @property
    def of_statement(self) -> bool:
        """Whether it must know the statement."""
        return self.when is not None and self.when.of_statement

    @property
    def gives(self) -> str:
        """What it gives and hides, and on what condition: the same, and it is the same to who decides."""
        return repr(
            (
                sorted(each.value for each in self.permit),
                sorted(self.reveal),
                sorted(self.mask.items()),
                self.resolve,
                None if self.databases is None else sorted(self.databases),
                None if self.when is None else self.when.text,
                self.waives,
            )
        )

    @property
    def of_now(self) -> bool:
        """Whether what it says may change as time goes by."""
        return self.when is not None and self.when.of_now

    def within(self, names: frozenset[str]) -> "Rule":
        """The rule where only those with these names may permit and reveal. What else it says holds."""
        if self.name in names or not (self.permit or self.reveal):
            return self
        return replace(self, permit=frozenset(), reveal=frozenset())

    def covers(self, resource: str, account: str) -> bool:
        return account in self.accounts.get(resource, ())

    def applies(self, about: Asking, context: Context | None, memo: Memo | None = None) -> Truth:
        """Whether it speaks of what is asked about. Identity, resource and account are matched already.

        memo: see Condition.ask."""
        here = self._in_database(context)
        if here is Truth.FALSE or self.when is None:
            return here
        return every((here, self.when.ask(about, memo)))

    def _in_database(self, context: Context | None) -> Truth:
        if self.databases is None:
            return Truth.TRUE
        if context is None or context.database is None:
            return Truth.UNKNOWN
        return Truth.TRUE if context.database in self.databases else Truth.FALSE
