"""`wicket nodes`: which gateways share a store, and whether they live."""

from wicketgate.cli.options import DEFAULT_CONFIG, Ca, Config, Json, TokenFile, Url, client
from wicketgate.cli.output import clean, say_json, table, when


def nodes(
    config: Config = DEFAULT_CONFIG,
    url: Url = None,
    token_file: TokenFile = None,
    ca: Ca = None,
    as_json: Json = False,
) -> None:
    """List the nodes that share this gateway's store, and when each was seen last.

    Example:  wicket nodes
    """
    found = client(config, url, token_file, ca).ask("GET", "/nodes")
    if as_json:
        say_json(found)
        return
    table(
        ("NUMBER", "NODE", "NAME", "STATE", "SEEN"),
        [
            (
                each["number"],
                each["node"][:8],
                clean(each["name"]),
                "here" if each["here"] and each["alive"] else "alive" if each["alive"] else "gone",
                when(each["seen"]),
            )
            for each in found
        ],
    )
