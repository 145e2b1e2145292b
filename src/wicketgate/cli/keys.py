"""`wicket keys`: the keys that pseudonyms are made with. It never shows one."""

from typing import TYPE_CHECKING

import typer

from wicketgate.cli.options import DEFAULT_CONFIG, Config, Json, readable
from wicketgate.cli.output import note, say, say_json

if TYPE_CHECKING:
    from wicketgate.model.keyring import Keyring

app = typer.Typer(no_args_is_help=True, help="Keys of pseudonyms: list their versions, add one.")


@app.command("list")
def versions(config: Config = DEFAULT_CONFIG, as_json: Json = False) -> None:
    """List the versions. Tokens are made with the newest, and known by all of them.

    Example:  wicket keys list
    """
    readable(config)
    from wicketgate.office import pseudonym_keys, site

    place = site(config)
    place.prepare()
    _tell(pseudonym_keys(place.state), as_json)


@app.command()
def rotate(config: Config = DEFAULT_CONFIG, as_json: Json = False) -> None:
    """Add a key. From the next start on, a value has another token; old tokens are still known.

    Example:  wicket keys rotate && systemctl restart wicket
    """
    readable(config)
    from wicketgate.office import rotate_pseudonyms

    ring = rotate_pseudonyms(config)
    if not as_json:
        note(f"version {ring.newest} is used from the next start of the gateway")
    _tell(ring, as_json)


@app.command()
def forget(config: Config = DEFAULT_CONFIG) -> None:
    """Forget which keys the nodes of a shared store agreed on, after all copies of a key were lost.

    The next node that starts sets them anew; tokens of the lost keys are known to nobody any more. Stop all
    nodes first.

    Example:  wicket keys forget
    """
    readable(config)
    from wicketgate.office import forget_pseudonyms

    note(f"{forget_pseudonyms(config)} fingerprints are forgotten")


def _tell(ring: "Keyring", as_json: bool) -> None:
    if as_json:
        say_json({"newest": ring.newest, "versions": sorted(ring.keys)})
        return
    for version in sorted(ring.keys):
        say(f"{version}{'  newest' if version == ring.newest else ''}")
