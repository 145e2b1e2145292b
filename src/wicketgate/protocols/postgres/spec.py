"""PostgreSQL, as the registry knows it: the four stages, its settings, its catalog.
The only module of this folder that others import."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from wicketgate.masking.pseudonym import Pseudonyms
from wicketgate.masking.transforms import TRANSFORMS
from wicketgate.model.keyring import Keyring
from wicketgate.protocols.base import ProtocolSpec
from wicketgate.protocols.conversing import Conversation, Setting
from wicketgate.protocols.postgres.binding import bind
from wicketgate.protocols.postgres.call import dial
from wicketgate.protocols.postgres.catalog import catalog_changed, load_catalog, probe, read_catalog
from wicketgate.protocols.postgres.conversation import PostgresConversation
from wicketgate.protocols.postgres.discover import INTRODUCTION
from wicketgate.protocols.postgres.estimate import estimate
from wicketgate.protocols.postgres.greet import greet
from wicketgate.protocols.postgres.login import ALPN, ServerSession, Startup, cancel_packet, preamble, welcome
from wicketgate.protocols.postgres.names import Names
from wicketgate.protocols.postgres.sampling import survey
from wicketgate.protocols.postgres.show import show
from wicketgate.protocols.postgres.types import Names as Tokens

SETTINGS = frozenset({"functions"})
"""A resource's own options: `functions` lists, qualified, those of the operator's that are pure."""


def validate(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """A resource's own options, checked. Raises ValueError((key, message))."""
    for key, value in settings.items():
        if key not in SETTINGS:
            raise ValueError((key, f"unknown setting {key!r}"))
        if not isinstance(value, list | tuple) or not all(
            isinstance(name, str) and len(name.split(".")) == 2 for name in value
        ):
            raise ValueError((key, "a list of qualified function names (schema.function)"))
    return {key: tuple(value) for key, value in settings.items()}


def check_column(key: str) -> None:
    """Whether a key of `sensitive` is `schema.table.column`. Raises ValueError."""
    parts = key.split(".")
    if len(parts) != 3 or not all(parts):
        raise ValueError("a sensitive column is written schema.table.column")


def converse(setting: Setting) -> Conversation:
    """The conversation of a session that both sides have signed in to."""
    server: ServerSession = setting.session
    startup: Startup = setting.startup
    names = Names(setting.host.catalog(), server.user, server.database, setting.admission.read_only)
    talk = PostgresConversation(
        setting,
        names,
        cancel_packet(server.pid, server.key),
        welcome(server, setting.key, startup.minor),
        server.parameters.get("search_path"),
        tokens(setting),
    )
    talk.state.circumstances.begin(server.parameters, startup.parameters)
    return talk


def tokens(setting: Setting) -> Tokens | None:
    """What the session's pseudonyms are made with."""
    if setting.pseudonyms is None:
        return None
    identity = setting.admission.identity
    scopes = {"identity": b"identity:" + identity.name.encode(), "all": b"all"}
    if identity.task:
        # a crew's tasks are its own: another's of the same name is another task
        scopes["task"] = f"task:{identity.crew or ''}/{identity.task}".encode()
    return Tokens(_pseudonyms(setting.pseudonyms), scopes)


@lru_cache(maxsize=4)
def _pseudonyms(ring: Keyring) -> Pseudonyms:
    """One for all sessions: what it remembers serves them all."""
    return Pseudonyms({version: key.reveal() for version, key in ring.keys.items()}, ring.newest)


POSTGRES = ProtocolSpec(
    name="postgres",
    default_port=5432,
    preamble=preamble,
    greet=greet,
    dial=dial,
    converse=converse,
    validate=validate,
    check_column=check_column,
    alpn=(ALPN,),
    read_catalog=read_catalog,
    catalog_changed=catalog_changed,
    bind_catalog=bind,
    load_catalog=load_catalog,
    probe=probe,
    introduction=INTRODUCTION,
    survey=survey,
    show=show,
    estimate=estimate,
    transforms=TRANSFORMS,
)
