"""What the API takes and gives of secrets, as JSON. It must never give a value, nor show one that it took."""

from typing import Annotated

from fastapi import Path, Request, Response
from pydantic import BaseModel, Field, SecretStr

from wicketgate.admin import secrets
from wicketgate.admin.access import Refused
from wicketgate.admin.authorize import Actor
from wicketgate.admin.ports import Office
from wicketgate.api import paging
from wicketgate.api.etags import Conditional, tag_of
from wicketgate.api.given import By, Desk, routes
from wicketgate.api.shapes import Strict
from wicketgate.model.kept import KeptSecret
from wicketgate.model.secret import Secret

LONGEST = 16_384
Name = Annotated[str, Path(pattern=r"^[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?$")]
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
    """secrets: how many were closed anew. new_key: whether the key that wraps theirs was made now.
    segments: of this node's journal, whose keys are under the newest key now."""

    secrets: int
    new_key: bool
    segments: int


class SegmentKeysShown(BaseModel):
    """key: what has wrapped the keys of so many segments of this node's journal."""

    key: str
    segments: int


async def put(
    office: Office, actor: Actor, name: str, wanted: SecretWanted, check: secrets.Check = lambda kept: None
) -> SecretShown:
    try:
        value = Secret(wanted.value.get_secret_value().encode())
    except UnicodeEncodeError:
        raise Refused("the value is no text in UTF-8") from None
    kept = await secrets.set_secret(office, actor, name, value, check)
    return SecretShown.of(kept, ":".join(kept.wrapped.split(":", 2)[:2]))


async def listed(office: Office, actor: Actor) -> list[SecretShown]:
    return [SecretShown.of(kept, key) for kept, key in await secrets.list_secrets(office, actor)]


async def segment_keys(office: Office, actor: Actor) -> list[SegmentKeysShown]:
    found = await secrets.list_segment_keys(office, actor)
    return [SegmentKeysShown(key=key, segments=count) for key, count in found.items()]


async def rotated(office: Office, actor: Actor) -> Rotated:
    count, made, segments = await secrets.rotate_secrets(office, actor)
    return Rotated(secrets=count, new_key=made, segments=segments)


def _tag(kept: KeptSecret) -> str:
    """Of what is shown; a value that is set anew, to the same even, is another version."""
    return tag_of(f"{kept.id} {kept.version} {kept.wrapped}")


@vault.get("/secrets", summary="Names of secrets; there is no way to their values")
async def list_secrets(
    office: Desk,
    by: By,
    request: Request,
    response: Response,
    limit: paging.Limit = paging.USUAL,
    cursor: paging.Cursor = None,
) -> list[SecretShown]:
    after = paging.read(cursor, "secrets")
    found = await secrets.list_secrets(office, by, after="" if after is None else after[1], most=limit + 1)
    page = paging.cut(found, limit, "secrets", lambda each: (0, each[0].name), request, response)
    return [SecretShown.of(kept, key) for kept, key in page]


@vault.get("/secrets/{name}", summary="One secret, without its value")
async def show_secret(office: Desk, by: By, name: Name, response: Response) -> SecretShown:
    kept, key = await secrets.show_secret(office, by, name)
    response.headers["etag"] = _tag(kept)
    return SecretShown.of(kept, key)


@vault.put("/secrets/{name}", summary="Set a secret: make it, or give it a new value")
async def set_secret(
    office: Desk, by: By, name: Name, wanted: SecretWanted, when: Conditional
) -> SecretShown:
    return await put(office, by, name, wanted, lambda kept: when.hold(None if kept is None else _tag(kept)))


@vault.delete("/secrets/{name}", summary="Remove a secret", status_code=204)
async def remove_secret(office: Desk, by: By, name: Name) -> None:
    await secrets.remove_secret(office, by, name)


@vault.post("/secrets/rotate", summary="Close every secret anew, under new keys")
async def rotate_secrets(office: Desk, by: By) -> Rotated:
    return await rotated(office, by)


@vault.get("/journal/keys", summary="What has wrapped the journal's keys, where it is encrypted")
async def show_segment_keys(office: Desk, by: By) -> list[SegmentKeysShown]:
    return await segment_keys(office, by)
