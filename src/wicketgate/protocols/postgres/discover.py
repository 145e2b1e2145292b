"""A working PostgreSQL address becomes a resource: taken apart, looked at, and written anew for a client.
It must never repeat an address in an error: there is a password in it."""

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from wicketgate.model.resource import TlsMode
from wicketgate.model.secret import Secret
from wicketgate.protocols.base import Address, CatalogAccess, Discovery, Introduction
from wicketgate.protocols.postgres.catalog import fetch_rows

COLUMNS_MOST: Final = 200_000
"""Columns that are looked at; a database with more is told to be so."""

_TLS: Final = {
    "disable": TlsMode.DISABLE,
    # what may fall back to plain text is no promise: it becomes the weakest mode that is one
    "allow": TlsMode.REQUIRE,
    "prefer": TlsMode.REQUIRE,
    "require": TlsMode.REQUIRE,
    "verify-ca": TlsMode.VERIFY_CA,
    "verify-full": TlsMode.VERIFY_FULL,
}
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})

# a column's name, cut into words -> data class. The first row that matches wins, so the narrow stand first.
_WORDS: Final[tuple[tuple[str, str], ...]] = (
    (r"e ?mails?( addr(ess)?)?", "email"),
    (
        r"(credit|debit|payment|bank)? ?card ?(no|num|nr|number)?s?|ccn?|cc (no|num|number)|pan",
        "payment-card",
    ),
    (r"cvv2?|cvc2?|card (code|pin)", "secret"),
    (r"ssn|social sec(urity)?( (no|num|number))?|sin|nino|national insurance( (no|number))?", "national-id"),
    (
        r"national (id|ident|identity|identifier)( (no|num|number))?|nat id|personal (id|no|number|code)",
        "national-id",
    ),
    (r"passport( (no|num|number|id))?|driv(ing|er|ers) licen[cs]e( (no|num|number))?", "national-id"),
    (
        r"tax (id|no|number|ident|identifier)|tin|itin|cpf|cnpj|dni|nif|nie|bsn|pesel|aadhaar|aadhar|curp",
        "national-id",
    ),
    (r"codice fiscale|steuer ?(id|nummer)|personnummer|id card( (no|number))?", "national-id"),
    (
        r"iban|bic|swift( code)?|(bank )?account (no|num|number)|routing (no|num|number)|sort code",
        "bank-account",
    ),
    (r"(tele)?phones?|mobile|cell|fax|msisdn", "phone"),
    (r"password|passwd|passphrase|pwd|passcode|pin( code)?", "secret"),
    (r"secrets?|(api|access|private|secret|signing|encryption) key|apikey|credentials?", "secret"),
    (r"((access|refresh|auth|api|reset|session|bearer|id) )?tokens?|otp|totp|mfa|salt", "secret"),
    (r"ip( addr(ess)?)?|ipv[46]", "ip-address"),
    (
        r"street|address( line)?|addr|post(al)? ?code|zip( ?code)?|house (no|number)",
        "address",
    ),
    (r"birth|dob|date of birth|birth ?(date|day)|born( on| at)?", "birth-date"),
    (r"(first|last|full|middle|given|family|maiden|sur|fore) ?name|surname", "person-name"),
)
# words before are common (`billing_email`); words behind only where they say the same thing (`phone_2`)
_BEHIND: Final = r"\d+|raw|plain|enc|encrypted|hash|hashed|digest|norm|normalized|text|value"
_RULES: Final = tuple(
    (re.compile(rf"(?:.* )?(?:{words})(?: (?:{_BEHIND}))*"), name) for words, name in _WORDS
)
_PERSONS: Final = re.compile(
    r"(customer|client|user|person|people|employee|patient|contact|member|student|subscriber|guest|applicant|staff)s?"
)
# flags and counts about a value are not the value (what stands behind it is told by the rules themselves)
_NOT_VALUES: Final = re.compile(r"(?:is|has|had|was|can|num|count|total|max|min|no of|number of) .*")
_TEXTUAL: Final = re.compile(
    r"char|text|citext|json|xml|bytea|name$|domain|array|user-defined", re.IGNORECASE
)
_NUMERIC_TOO: Final = frozenset({"payment-card", "national-id", "phone", "bank-account", "secret"})


def read(text: str) -> Address:
    """`postgresql://user:password@host:port/database?sslmode=…` taken apart, as libpq reads it.

    Raises ValueError that says what is missing, never what was there.
    """
    try:
        parts = urlsplit(text)
        port = parts.port or 5432
    except ValueError:
        raise ValueError("the address can't be read: is a character in the password not %-encoded?") from None
    if parts.scheme not in ("postgresql", "postgres"):
        raise ValueError("the address must begin with postgresql://")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    host = parts.hostname or options.get("host", "")
    if not host or host.startswith("/") or "," in parts.netloc:
        raise ValueError("the address must name one host (no socket folder, no list of hosts)")
    username = unquote(parts.username or options.get("user", ""))
    if not username:
        raise ValueError("the address must name a user")
    database = unquote(parts.path.removeprefix("/")) or options.get("dbname", "") or username
    mode = options.get("sslmode")
    if mode is None:
        tls = TlsMode.DISABLE if host in _LOOPBACK else TlsMode.REQUIRE
    elif mode in _TLS:
        tls = _TLS[mode]
        if mode in ("allow", "prefer") and host in _LOOPBACK:
            tls = TlsMode.DISABLE
    else:
        raise ValueError("sslmode must be disable, require, verify-ca or verify-full")
    password = parts.password if parts.password is not None else options.get("password")
    return Address(
        host=host,
        port=int(options["port"]) if parts.port is None and options.get("port", "").isdecimal() else port,
        username=username,
        secret=None if password is None else Secret(unquote(password).encode("utf-8")),
        database=database,
        tls=tls,
        ca_file=None if options.get("sslrootcert") in (None, "", "system") else options["sslrootcert"],
    )


def write(identity: str, token: str, host: str, port: int, resource: str, ca: str) -> str:
    """The address that a client uses from now on."""
    shown = f"[{host}]" if ":" in host else host
    return (
        f"postgresql://{quote(identity, safe='')}:{token}@{shown}:{port}/{quote(resource, safe='')}"
        f"?sslmode=verify-full&sslrootcert={quote(ca, safe='/~._-')}"
    )


def words(name: str) -> str:
    """A column's or relation's name as lower-case words: `homeEMail_2` -> `home email 2`."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    text = re.sub(r"[^0-9a-z]+", " ", spaced.lower()).strip()
    return re.sub(r"\be mail", "email", text)


def data_class(relation: str, column: str, type_name: str) -> str | None:
    """What a column's name says that it holds, or None. type_name: as information_schema gives it."""
    text = words(column)
    if _NOT_VALUES.fullmatch(text):
        return None
    found = next((name for rule, name in _RULES if rule.fullmatch(text)), None)
    if found is None and text in ("name", "contact") and _PERSONS.search(words(relation)):
        found = "person-name"
    if found is None or _TEXTUAL.search(type_name):
        return found
    if found == "birth-date":
        return found if re.search(r"date|timestamp", type_name) else None
    if found == "ip-address":
        return found if type_name in ("inet", "cidr") else None
    if found in _NUMERIC_TOO:
        return found if re.search(r"int|numeric|oid", type_name) else None
    return None


def propose(columns: Iterable[tuple[str, str, str, str]]) -> dict[str, str]:
    """(schema, relation, column, type) of each column -> what `sensitive:` should say, by qualified name.

    A name with a dot in it can't be written there and is left out."""
    found: dict[str, str] = {}
    for schema, relation, column, type_name in columns:
        name = data_class(relation, column, type_name)
        if name is not None and not any("." in part for part in (schema, relation, column)):
            found[f"{schema}.{relation}.{column}"] = name
    return found


ORDINARY: Final = """
FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) a.attrelid
JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
JOIN pg_catalog.pg_type t ON t.oid OPERATOR(pg_catalog.=) a.atttypid
WHERE a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped
  AND c.relkind::pg_catalog.text OPERATOR(pg_catalog.=) ANY (ARRAY['r', 'p', 'f'])
  AND NOT c.relispartition
  AND n.nspname::pg_catalog.text OPERATOR(pg_catalog.<>) ALL (ARRAY['pg_catalog', 'information_schema'])
  AND NOT pg_catalog.starts_with(n.nspname::pg_catalog.text, 'pg_')
ORDER BY 1, 2, a.attnum
LIMIT $1
"""
"""What a query of all columns of the database's own tables ends with; $1: how many at the most."""

_QUERY: Final = f"""
SELECT n.nspname, c.relname, a.attname,
  pg_catalog.format_type(coalesce(nullif(t.typbasetype, 0), t.oid), NULL)
{ORDINARY}"""


async def discover(access: CatalogAccess) -> Discovery:
    """Look at column names over the account. Views are left out: classes reach them from their tables.

    Raises UpstreamFailed (no secret in it) where the target can't be reached or does not let us in.
    """
    rows = await fetch_rows(access, _QUERY, COLUMNS_MOST + 1)
    columns = [(row[0], row[1], row[2], row[3]) for row in rows[:COLUMNS_MOST]]
    return Discovery(
        sensitive=propose(columns),
        relations=len({column[:2] for column in columns}),
        columns=len(columns),
        truncated=len(rows) > COLUMNS_MOST,
    )


INTRODUCTION: Final = Introduction(("postgresql", "postgres"), read, discover, write)
