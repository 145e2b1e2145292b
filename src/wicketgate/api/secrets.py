"""What the API takes and gives of secrets, as JSON. It must never give a value, nor show one that it took."""

from pydantic import BaseModel, Field, SecretStr

from wicketgate.admin import secrets
from wicketgate.admin.access import Refused
from wicketgate.admin.authorize import Actor
from wicketgate.admin.ports import Office
from wicketgate.api.shapes import Strict
from wicketgate.model.kept import KeptSecret
from wicketgate.model.secret import Secret

LONGEST = 16_384


class SecretWanted(Strict):
    """A secret's value, as text."""

    value: SecretStr = Field(min_length=1, max_length=LONGEST)


class SecretShown(BaseModel):
    """A secret, without its value. version: how many values it had. key: what wraps its data key."""

    name: str
    version: int
    created: int
    changed: int
    author: str
    key: str

    @classmethod
    def of(cls, kept: KeptSecret, key: str) -> "SecretShown":
        return cls(
            name=kept.name,
            version=kept.version,
            created=kept.created,
            changed=kept.changed,
            author=kept.author,
            key=key,
        )


class Rotated(BaseModel):
    """secrets: how many were closed anew. new_key: whether the key that wraps theirs was made now.
    segments: of this node's journal, whose keys are under the newest key now."""

    secrets: int
    new_key: bool
    segments: int


class SegmentKeysShown(BaseModel):
    """key: what has wrapped the keys of so many segments of this node's journal."""

    key: str
    segments: int


async def put(office: Office, actor: Actor, name: str, wanted: SecretWanted) -> SecretShown:
    try:
        value = Secret(wanted.value.get_secret_value().encode())
    except UnicodeEncodeError:
        raise Refused("the value is no text in UTF-8") from None
    kept = await secrets.set_secret(office, actor, name, value)
    return SecretShown.of(kept, ":".join(kept.wrapped.split(":", 2)[:2]))


async def listed(office: Office, actor: Actor) -> list[SecretShown]:
    return [SecretShown.of(kept, key) for kept, key in await secrets.list_secrets(office, actor)]


async def segment_keys(office: Office, actor: Actor) -> list[SegmentKeysShown]:
    found = await secrets.list_segment_keys(office, actor)
    return [SegmentKeysShown(key=key, segments=count) for key, count in found.items()]


async def rotated(office: Office, actor: Actor) -> Rotated:
    count, made, segments = await secrets.rotate_secrets(office, actor)
    return Rotated(secrets=count, new_key=made, segments=segments)
