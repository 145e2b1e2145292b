"""The protocols that this gateway speaks. A new one is one folder and one line here."""

from wicketgate.protocols.base import ProtocolSpec


def protocols() -> dict[str, ProtocolSpec]:
    """Name -> protocol. Imported when asked for, so that a tool that needs none pays for none."""
    from wicketgate.protocols.postgres.spec import POSTGRES

    return {spec.name: spec for spec in (POSTGRES,)}
