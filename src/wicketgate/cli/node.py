"""`wicket whoami`, `status`, `version` and `completion`."""

import sys
from typing import Annotated

import typer

from wicketgate.cli.ending import NEGATIVE, USAGE, end
from wicketgate.cli.options import DEFAULT_CONFIG, Ca, Config, Json, TokenFile, Url, client
from wicketgate.cli.output import clean, say, say_json, table


def whoami(
    config: Config = DEFAULT_CONFIG,
    url: Url = None,
    token_file: TokenFile = None,
    ca: Ca = None,
    as_json: Json = False,
) -> None:
    """Who the gateway takes you for.

    Examples:

      wicket whoami

      WICKET_TOKEN=wkt_… wicket whoami --url https://gateway:18443 --ca wicket-ca.pem
    """
    found = client(config, url, token_file, ca).ask("GET", "/whoami")
    if as_json:
        say_json(found)
        return
    proof = "the same user on this machine" if found["how"] == "local" else f"token {found['credential_id']}"
    say(f"{clean(found['name'])} ({proof})")
    if found["groups"]:
        say(f"groups: {clean(', '.join(found['groups']))}")
    if task := found["task"]:
        by = found["exchange"]["human"]["issuer"] if found.get("exchange") else None
        behalf = clean(task["behalf"]) + (f" (proven by {clean(by)})" if by else "")
        say(f"task {clean(task['name'])} for {behalf}: {clean(task['purpose'])}")
    for key in ("resources", "rules", "networks"):
        if found[key]:
            say(f"{key}: {clean(', '.join(found[key]))}")
    say("administrator" if found["administrator"] else "not an administrator")


def status(
    config: Config = DEFAULT_CONFIG,
    url: Url = None,
    token_file: TokenFile = None,
    ca: Ca = None,
    as_json: Json = False,
) -> None:
    """How the gateway stands: workers, policy, databases, sessions. Exit code 1 while it lets no session in.

    Example:  wicket status --json
    """
    found = client(config, url, token_file, ca).ask("GET", "/status")
    if as_json:
        say_json(found)
    else:
        say("ready" if found["ready"] else "draining" if found["draining"] else "NOT READY")
        say(f"workers   {found['workers']} of {found['workers_wanted']}")
        say(f"sessions  {found['sessions']}")
        say(f"policy    {clean(found['policy'])[:12]}")
        if found["policy_error"]:
            say(f"          the newest can't be loaded: {clean(found['policy_error'])}")
        if found["store_away"]:
            say("store     does not answer")
        if found["catalogs"]:
            say()
            table(
                ("DATABASE", "STATE"),
                [
                    (name, "open" if error is None else f"closed: {error}")
                    for name, error in found["catalogs"].items()
                ],
                most=100,
            )
    if not found["ready"]:
        raise typer.Exit(NEGATIVE)


def version(as_json: Json = False) -> None:
    """The version of this program.

    Example:  wicket version --json
    """
    from wicketgate import __version__

    if as_json:
        say_json({"version": __version__, "python": ".".join(str(part) for part in sys.version_info[:3])})
    else:
        say(f"wicket {__version__}")


def completion(
    shell: Annotated[str, typer.Argument(help="bash, zsh, fish or powershell.")] = "bash",
) -> None:
    """Print the completion script for a shell.

    Example:  wicket completion bash > /etc/bash_completion.d/wicket
    """
    from typer._completion_shared import get_completion_script

    if shell not in ("bash", "zsh", "fish", "powershell"):
        end("completion is for bash, zsh, fish or powershell", USAGE)
    say(get_completion_script(prog_name="wicket", complete_var="_WICKET_COMPLETE", shell=shell))
