"""Messages of PostgreSQL that may pass though sensitive values are near: its own texts, known variables.
It must never let a variable part through that is neither the catalog's nor a whole token of the client's.
Source: PostgreSQL's ereport calls, versions 13 to 18, as they read with lc_messages C or en.
"""

import re
from collections.abc import Callable
from typing import Final

from wicketgate.protocols.postgres.tokens import cut, folded, tokens_of

LONGEST: Final = 400
"""Characters of a message that is looked at: longer ones hold more than names."""

TEMPLATES: Final = """
00000 column "{name}" of relation "{name}" does not exist, skipping
00000 type "{name}" does not exist, skipping
00000 index "{name}" does not exist, skipping
00000 constraint "{name}" of relation "{name}" does not exist, skipping
00000 function {function} does not exist, skipping
00000 relation "{name}" does not exist, skipping
00000 {kind} "{name}" does not exist, skipping
21000 more than one row returned by a subquery used as an expression
21000 ON CONFLICT DO UPDATE command cannot affect row a second time
22001 value too long for type character varying({number})
22001 value too long for type character({number})
22003 integer out of range
22003 bigint out of range
22003 smallint out of range
22003 numeric field overflow
22003 value overflows numeric format
22012 division by zero
22023 LIMIT must not be negative
2201W LIMIT must not be negative
2201X OFFSET must not be negative
22P02 invalid input syntax for type {type}
22P02 invalid input syntax for type {type}: "{literal}"
22P02 invalid input value for enum {name}: "{literal}"
22P02 malformed array literal: "{literal}"
22P04 extra data after last expected column
22P04 missing data for column "{name}"
23502 null value in column "{name}" of relation "{name}" violates not-null constraint
23502 null value in column "{name}" violates not-null constraint
23503 insert or update on table "{name}" violates foreign key constraint "{name}"
23503 update or delete on table "{name}" violates foreign key constraint "{name}" on table "{name}"
23001 update or delete on {table} violates RESTRICT setting of foreign key constraint "{name}" on {table}
23505 duplicate key value violates unique constraint "{name}"
23514 new row for relation "{name}" violates check constraint "{name}"
23514 no partition of relation "{name}" found for row
23514 new row for relation "{name}" violates partition constraint
23P01 conflicting key value violates exclusion constraint "{name}"
25001 there is already a transaction in progress
25001 {command} cannot run inside a transaction block
25001 SET TRANSACTION ISOLATION LEVEL must be called before any query
25006 cannot execute {command} in a read-only transaction
25P01 there is no transaction in progress
25P01 {command} can only be used in transaction blocks
25P02 current transaction is aborted, commands ignored until end of transaction block
25P03 terminating connection due to idle-in-transaction timeout
25P04 terminating connection due to transaction timeout
26000 prepared statement "{name}" does not exist
26000 unnamed prepared statement does not exist
2BP01 cannot drop {kind} {name} because other objects depend on it
2BP01 cannot drop column {name} of {kind} {name} because other objects depend on it
34000 cursor "{name}" does not exist
34000 portal "{name}" does not exist
3B001 savepoint "{name}" does not exist
3D000 database "{name}" does not exist
3F000 schema "{name}" does not exist
3F000 no schema has been selected to create in
40001 could not serialize access due to concurrent update
40001 could not serialize access due to concurrent delete
40001 could not serialize access due to read/write dependencies among transactions
40P01 deadlock detected
42501 permission denied for {kind} {name}
42501 permission denied to create {kind}
42501 must be owner of {kind} {name}
42501 must be superuser to execute {command} command
42501 new row violates row-level security policy for table "{name}"
42501 permission denied to set parameter "{name}"
42601 syntax error at or near "{token}"
42601 syntax error at end of input
42601 unterminated quoted string at or near "{rest}"
42601 unterminated quoted identifier at or near "{rest}"
42601 unterminated /* comment at or near "{rest}"
42601 unterminated dollar-quoted string at or near "{rest}"
42601 zero-length delimited identifier at or near "{token}"
42601 trailing junk after numeric literal at or near "{token}"
42601 trailing junk after parameter at or near "{token}"
42601 INSERT has more expressions than target columns
42601 INSERT has more target columns than expressions
42601 each {command} query must have the same number of columns
42601 subquery must return only one column
42601 subquery has too many columns
42601 cannot insert multiple commands into a prepared statement
42601 VALUES lists must all be the same length
42601 a column definition list is required for functions returning "record"
42602 invalid name syntax
42611 invalid column definition
42622 identifier "{long}" will be truncated to "{name}"
42701 column "{name}" specified more than once
42701 column "{name}" of relation "{name}" already exists
42701 column "{name}" of relation "{name}" already exists, skipping
42702 column reference "{name}" is ambiguous
42703 column "{name}" does not exist
42703 column {name} does not exist
42703 column "{name}" of relation "{name}" does not exist
42703 column "{name}" referenced in foreign key constraint does not exist
42703 column "{name}" named in key does not exist
42703 record "{name}" has no field "{name}"
42704 type "{name}" does not exist
42704 role "{name}" does not exist
42704 collation "{name}" for encoding "UTF8" does not exist
42704 index "{name}" does not exist
42704 constraint "{name}" of relation "{name}" does not exist
42704 constraint "{name}" for table "{name}" does not exist
42704 unrecognized configuration parameter "{name}"
42704 data type {type} has no default operator class for access method "{name}"
42710 {kind} "{name}" already exists
42710 {kind} "{name}" already exists, skipping
42710 constraint "{name}" for relation "{name}" already exists
42712 table name "{name}" specified more than once
42723 function "{name}" already exists with same argument types
42725 function {function} is not unique
42725 operator is not unique: {type} {operator} {type}
42803 column "{name}" must appear in the GROUP BY clause or be used in an aggregate function
42803 subquery uses ungrouped column "{name}" from outer query
42803 aggregate functions are not allowed in {command}
42803 aggregate function calls cannot be nested
42804 argument of {command} must be type {type}, not type {type}
42804 column "{name}" is of type {type} but expression is of type {type}
42804 {command} types {type} and {type} cannot be matched
42804 could not determine polymorphic type because input has type unknown
42809 "{name}" is not a table
42809 "{name}" is not a view
42809 cannot insert into view "{name}"
42809 {name} is not an aggregate function
42809 op ANY/ALL (array) requires array on right side
42830 there is no unique constraint matching given keys for referenced table "{name}"
42846 cannot cast type {type} to {type}
42883 operator does not exist: {type} {operator} {type}
42883 operator does not exist: {operator} {type}
42883 function {function} does not exist
42883 aggregate {function} does not exist
428C9 cannot insert a non-DEFAULT value into column "{name}"
428C9 column "{name}" can only be updated to DEFAULT
42939 schema "{name}" cannot be created
42P01 relation "{name}" does not exist
42P01 table "{name}" does not exist
42P01 {kind} "{name}" does not exist
42P01 missing FROM-clause entry for table "{name}"
42P01 invalid reference to FROM-clause entry for table "{name}"
42P01 relation "{name}" in FOR UPDATE clause not found in FROM clause
42P02 there is no parameter ${number}
42P03 cursor "{name}" already exists
42P05 prepared statement "{name}" already exists
42P06 schema "{name}" already exists
42P06 schema "{name}" already exists, skipping
42P07 relation "{name}" already exists
42P07 relation "{name}" already exists, skipping
42P08 could not determine data type of parameter ${number}
42P08 inconsistent types deduced for parameter ${number}
42P09 alias "{name}" is ambiguous
42P10 for SELECT DISTINCT, ORDER BY expressions must appear in select list
42P10 SELECT DISTINCT ON expressions must match initial ORDER BY expressions
42P10 {command} position {number} is not in select list
42P10 there is no unique or exclusion constraint matching the ON CONFLICT specification
42P16 multiple primary keys for table "{name}" are not allowed
42P18 could not determine data type of parameter ${number}
42P20 window functions are not allowed in {command}
42P20 window function {name} requires an OVER clause
42P22 could not determine which collation to use for string comparison
42P24 recursive reference to query "{name}" must not appear within a subquery
53100 could not extend file
53200 out of memory
53200 out of shared memory
53300 sorry, too many clients already
53300 too many connections for role "{name}"
53300 too many connections for database "{name}"
55000 cannot delete from view "{name}"
55000 cannot update view "{name}"
55000 cannot insert into view "{name}"
55000 materialized view "{name}" has not been populated
55000 currval of sequence "{name}" is not yet defined in this session
55006 cannot {command} "{name}" because it is being used by active queries in this session
55P03 could not obtain lock on row in relation "{name}"
55P03 could not obtain lock on relation "{name}"
55P03 canceling statement due to lock timeout
57014 canceling statement due to statement timeout
57014 canceling statement due to user request
57014 COPY from stdin failed
57P01 terminating connection due to administrator command
57P02 terminating connection because of crash of another server process
57P03 the database system is shutting down
57P03 the database system is starting up
57P03 the database system is in recovery mode
57P05 terminating connection due to idle-session timeout
08P01 bind message supplies {number} parameters, but prepared statement "{name}" requires {number}
08P01 bind message has {number} parameter formats but {number} parameters
0A000 cached plan must not change result type
0A000 cross-database references are not implemented: "{name}"
0A000 set-returning functions are not allowed in {command}
0A000 cannot create temporary tables in read-only mode
0A000 {command} is not allowed with {command}
44000 new row violates check option for view "{name}"
"""
"""SQLSTATE and text, one a line. {name}, {token} … are variables: see _CHECKS."""

_VARIABLE: Final = re.compile(r"\{(\w+)\}")

_SHAPES: Final = {
    "number": "([0-9]{1,8})",
    "operator": "([-+*/<>=~!@#%^&|`?]{1,16})",
    "command": "([A-Z/ ]+?)",
    "kind": "([a-z -]+?)",
}
"""What a variable looks like where that tells it from its neighbours; others are anything."""

_KINDS_TEXT: Final = """
table; view; materialized view; foreign table; sequence; index; schema; database; function; procedure;
routine; aggregate; relation; column; type; domain; language; tablespace; role; constraint; trigger;
rule; policy; extension; collation; operator; operator class; operator family; cast; conversion;
event trigger; publication; subscription; statistics object; large object; foreign server;
foreign-data wrapper; text search configuration; text search dictionary; access method; server;
parameter
"""
_KINDS: Final = frozenset(_KINDS_TEXT.replace("\n", " ").strip().split("; "))

_COMMAND_WORDS_TEXT: Final = """
SELECT INSERT UPDATE DELETE MERGE TRUNCATE COPY FROM TO CREATE ALTER DROP TABLE AS VIEW MATERIALIZED
INDEX SEQUENCE SCHEMA DATABASE FUNCTION PROCEDURE TYPE DOMAIN ROLE USER EXTENSION TRIGGER RULE POLICY
GRANT REVOKE COMMENT SECURITY LABEL LOCK VACUUM ANALYZE CLUSTER REINDEX REFRESH CONCURRENTLY CALL DO
EXPLAIN PREPARE EXECUTE DEALLOCATE DECLARE CURSOR FETCH MOVE CLOSE LISTEN UNLISTEN NOTIFY LOAD RESET
SET LOCAL CONSTRAINTS TRANSACTION SAVEPOINT RELEASE ROLLBACK COMMIT BEGIN START DISCARD ALL TEMP PLANS
SEQUENCES WHERE HAVING GROUP BY ORDER ON JOIN USING LIMIT OFFSET CASE WHEN WINDOW VALUES RETURNING
UNION INTERSECT EXCEPT FILTER DISTINCT FOR SHARE NO KEY CHECK DEFAULT COALESCE GREATEST LEAST AND OR
NOT IN ARRAY IF INTO OWNED REASSIGN IMPORT FOREIGN SERVER TABLESPACE SYSTEM SUBSCRIPTION PUBLICATION
"""
_COMMAND_WORDS: Final = frozenset(_COMMAND_WORDS_TEXT.split())

_TYPES_TEXT: Final = """
integer; bigint; smallint; text; character varying; character; boolean; numeric; real;
double precision; date; timestamp without time zone; timestamp with time zone; timestamp;
time without time zone; time with time zone; time; interval; uuid; json; jsonb; jsonpath; bytea; oid;
name; unknown; record; void; xml; money; inet; cidr; macaddr; macaddr8; bit; bit varying; point; line;
lseg; box; path; polygon; circle; "char"; tid; xid; xid8; cid; pg_lsn; regclass; regtype; regproc;
regprocedure; regoper; regoperator; regrole; regnamespace; regconfig; regdictionary; regcollation;
tsvector; tsquery; int4range; int8range; numrange; tsrange; tstzrange; daterange; int4multirange;
int8multirange; nummultirange; tsmultirange; tstzmultirange; datemultirange; cstring; refcursor;
anyelement; anyarray; anynonarray; anyenum; anyrange; anycompatible; anycompatiblearray; trigger; row;
citext; hstore
"""
_TYPES: Final = frozenset(_TYPES_TEXT.replace("\n", " ").strip().split("; "))

_SCHEMAS: Final = frozenset({"public", "pg_catalog", "information_schema", "pg_toast"})
_SIZE: Final = re.compile(r"\((?:[0-9]{1,5})(?:,[0-9]{1,5})?\)")


class Known:
    """What a message may name: the catalog's names and the tokens of the client's own statement."""

    __slots__ = ("_catalog", "_text")

    def __init__(self, text: bytes, catalog: Callable[[str], bool]) -> None:
        self._text = text
        self._catalog = catalog

    def name(self, value: str) -> bool:
        """A name as the statement has it, or a qualified one of which the statement alone has one part.

        More such parts would make a net of many guesses out of few tokens.
        """
        if self._typed(value) or self._given(value):
            return True
        foreign = [part for part in value.split(".") if not self._given(part)]
        return len(foreign) < 2 and all(self._typed(part) for part in foreign)

    def _given(self, value: str) -> bool:
        return value in _SCHEMAS or self._catalog(value)

    def _typed(self, value: str) -> bool:
        tokens = tokens_of(self._text)
        return value in tokens.names or value in tokens.spelled

    def type(self, value: str) -> bool:
        """A type, with its size and its brackets."""
        plain = _SIZE.sub("", value.removesuffix("[]"), count=1)
        return plain in _TYPES or self.name(plain) or (plain[:1] == '"' and self.name(plain.strip('"')))

    def function(self, value: str) -> bool:
        """A function with its argument types in parentheses."""
        name, opened, rest = value.partition("(")
        if not opened or not rest.endswith(")"):
            return False
        arguments = rest[:-1]
        return self.name(name) and (not arguments or all(self.type(one) for one in arguments.split(", ")))

    def literal(self, value: str) -> bool:
        """The content of a whole string literal."""
        return value in tokens_of(self._text).literals

    def token(self, value: str) -> bool:
        """A whole token as it was typed."""
        return value in tokens_of(self._text).words

    def rest(self, value: str) -> bool:
        """All of the statement from some place on: where a quote stays open there is no token's end."""
        return bool(value) and self._text.decode("utf-8", "replace").rstrip("\0").endswith(value)

    def long(self, value: str) -> bool:
        """An identifier as typed, before PostgreSQL cuts it."""
        names = tokens_of(self._text).names
        return cut(folded(value)) in names or cut(value) in names


# an operator's and a number's shape is all there is to check
_CHECKS: Final[dict[str, Callable[[Known, str], bool]]] = {
    "name": Known.name,
    "table": lambda known, value: value[:7] == 'table "' and known.name(value[7:-1]) and value[-1:] == '"',
    "type": Known.type,
    "function": Known.function,
    "literal": Known.literal,
    "token": Known.token,
    "rest": Known.rest,
    "long": Known.long,
    "kind": lambda _, value: value in _KINDS,
    "command": lambda _, value: all(word in _COMMAND_WORDS for word in value.replace("/", " ").split(" ")),
    "operator": lambda _, value: True,
    "number": lambda _, value: True,
}


def _compiled() -> dict[str, list[tuple[re.Pattern[str], tuple[Callable[[Known, str], bool], ...]]]]:
    table: dict[str, list[tuple[re.Pattern[str], tuple[Callable[[Known, str], bool], ...]]]] = {}
    for line in TEMPLATES.strip().splitlines():
        code, _, text = line.partition(" ")
        # split gives text, variable, text, variable, …, text
        parts = _VARIABLE.split(text)
        pattern = "".join(
            _SHAPES.get(part, "(.+?)") if odd % 2 else re.escape(part) for odd, part in enumerate(parts)
        )
        checks = tuple(_CHECKS[name] for name in parts[1::2])
        table.setdefault(code, []).append((re.compile(pattern, re.DOTALL), checks))
    return table


_TABLE: Final = _compiled()


def passes(code: str, message: str, known: Known) -> bool:
    """Whether a server's message may reach a client although the statement touches sensitive values."""
    if len(message) > LONGEST:
        return False
    for pattern, checks in _TABLE.get(code, ()):
        found = pattern.fullmatch(message)
        if found is not None and all(
            check(known, value) for check, value in zip(checks, found.groups(), strict=True)
        ):
            return True
    return False
