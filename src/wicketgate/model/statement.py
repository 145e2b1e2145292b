"""What is asked: effects, commands, and the facts that a classifier proved of one statement (compiled)."""

from dataclasses import dataclass
from enum import Enum

Inherits = tuple[tuple[str, str], ...]
"""(qualified column, data class): the column holds values of this class once the statement has run."""


class Effect(Enum):
    """What a statement would do. UNKNOWN is a value: it is never the same as nothing.

    SESSION changes only the session itself (BEGIN, SET of a listed setting, LISTEN, DEALLOCATE): whoever
    may open the session may do it.
    """

    SESSION = "session"
    READ = "read"
    WRITE = "write"
    DELETE = "delete"
    DEFINE = "define"
    GRANT = "grant"
    EXECUTE = "execute"
    UNKNOWN = "unknown"


COMMANDS = frozenset(
    """select insert update delete merge truncate copy_in copy_out create alter drop grant revoke comment
    begin commit rollback savepoint set show reset discard prepare execute deallocate declare fetch move
    close explain analyze vacuum cluster reindex refresh lock listen notify unlisten call do checkpoint load
    import reassign security_label set_role password values table get post put patch head options other
    """.split()
)
"""The closed list that `statement.does()` may name. Protocols add theirs here, never elsewhere."""


@dataclass(frozen=True, slots=True, eq=False)
class Facts:
    """What is proven of a statement. Compared by identity, so that it can be a cache's key.

    effects: UNKNOWN is a member where some effect can't be told.
    commands: members of COMMANDS.
    reads, writes: qualified names (`schema.relation`); a name that resolves to several stands as all of them.
    whole: those of `reads` that no equality on a unique key and no row bound limits.
    functions: qualified names of functions called that are not known to be pure built-ins.
    complete: False where a relation, function or effect could not be told. Conditions that ask for one are
        then unknown (law 1).
    classes: data classes that any relation touched holds.
    steered: data classes that decide otherwise than by equality what comes back: in ranges, patterns, order,
        functions of the column. Their `predicates` setting says whether they may.
    compared: data classes that decide it by equality alone: `=`, IN, joins, GROUP BY, DISTINCT.
    inherits: what sensitive values are copied into: kept with the resource before the statement is forwarded.
    spilled: data classes that would go where no mask follows them: into other objects, settings, messages.
    opaque: True where lineage could not be resolved; on a resource with sensitive data this is denied.
    refusal: a reason why no policy can let this pass (over-size, lifts the read-only session …), or None.
        It is shown to the client.
    returns_rows: whether rows can come back, so that row limits apply.
    redact_text: the text carries a secret and must be recorded without it.
    catalog: version of the catalog that they rest on; None where there is none. Recorded with the statement.
    """

    effects: frozenset[Effect]
    commands: frozenset[str]
    reads: frozenset[str] = frozenset()
    writes: frozenset[str] = frozenset()
    whole: frozenset[str] = frozenset()
    functions: frozenset[str] = frozenset()
    complete: bool = True
    classes: frozenset[str] = frozenset()
    steered: frozenset[str] = frozenset()
    compared: frozenset[str] = frozenset()
    spilled: frozenset[str] = frozenset()
    inherits: Inherits = ()
    opaque: bool = False
    refusal: str | None = None
    returns_rows: bool = True
    redact_text: bool = False
    catalog: str | None = None


UNKNOWN_FACTS = Facts(
    effects=frozenset({Effect.UNKNOWN}), commands=frozenset({"other"}), complete=False, opaque=True
)


class Statement:
    """One thing asked, as it goes to the gate. Not to be changed once made.

    text: as the client wrote it (UTF-8), recorded once a session and referred to afterwards.
    text_key: what names this text in the session (the gate records the text when it first sees the key).
    parameters: bind parameters as text or hex, None for NULL; already redacted where sensitive.
    """

    __slots__ = ("facts", "parameters", "text", "text_key")

    def __init__(
        self, facts: Facts, text: bytes, text_key: object, parameters: tuple[str | None, ...] | None = None
    ) -> None:
        self.facts = facts
        self.text = text
        self.text_key = text_key
        self.parameters = parameters
