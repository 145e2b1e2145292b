"""What two identities have in common where rules can't tell them apart. Pure.
It must never leave out what a rule, or a condition, can ask for."""

from wicketgate.model.identity import Identity


def known_by(identity: Identity) -> tuple[object, ...]:
    """All of an identity that rules can speak of."""
    return (
        identity.name,
        identity.kind,
        identity.groups,
        identity.subject,
        identity.issuer,
        identity.how,
        identity.behalf,
        identity.agent,
        identity.task,
        identity.crew,
        identity.purpose,
        identity.rules,
        identity.declared,
        None if identity.declared is None else identity.credential_id,
        None if identity.human is None else known_by(identity.human),
    )
