"""What the API takes and gives of secrets, as JSON. It must never give a value, nor show one that it took."""

from pydantic import BaseModel, Field, SecretStr

from wicketgate.admin import secrets
from wicketgate.admin.access import Refused
from wicketgate.admin.authorize import Actor
from wicketgate.admin.ports import Office
from wicketgate.api.given import By, Desk, routes
from wicketgate.api.shapes import Strict
from wicketgate.model.kept import KeptSecret
from wicketgate.model.secret import Secret

LONGEST = 16_384
vault = routes("secrets")


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
    """secrets: how many were closed anew. new_key: whether the key that wraps theirs was made now."""

    secrets: int
    new_key: bool


async def put(office: Office, actor: Actor, name: str, wanted: SecretWanted) -> SecretShown:
    try:
        value = Secret(wanted.value.get_secret_value().encode())
    except UnicodeEncodeError:
        raise Refused("the value is no text in UTF-8") from None
    kept = await secrets.set_secret(office, actor, name, value)
    return SecretShown.of(kept, ":".join(kept.wrapped.split(":", 2)[:2]))


async def listed(office: Office, actor: Actor) -> list[SecretShown]:
    return [SecretShown.of(kept, key) for kept, key in await secrets.list_secrets(office, actor)]


async def rotated(office: Office, actor: Actor) -> Rotated:
    count, made = await secrets.rotate_secrets(office, actor)
    return Rotated(secrets=count, new_key=made)


@vault.get("/secrets", summary="Names of secrets; there is no way to their values")
async def list_secrets(office: Desk, by: By) -> list[SecretShown]:
    return await listed(office, by)


@vault.put("/secrets/{name}", summary="Set a secret: make it, or give it a new value")
async def set_secret(office: Desk, by: By, name: str, wanted: SecretWanted) -> SecretShown:
    return await put(office, by, name, wanted)


@vault.delete("/secrets/{name}", summary="Remove a secret", status_code=204)
async def remove_secret(office: Desk, by: By, name: str) -> None:
    await secrets.remove_secret(office, by, name)


@vault.post("/secrets/rotate", summary="Close every secret anew, under new keys")
async def rotate_secrets(office: Desk, by: By) -> Rotated:
    return await rotated(office, by)
