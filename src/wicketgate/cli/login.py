"""`wicket login`: gets a token of an issuer for a person, through a browser, and keeps it in a file (0600).
It must never print the token, nor take an answer that is not the one to what it asked.

A refresh token, where the issuer gives one, is kept in a file beside it, and goes to that issuer alone.
"""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from wicketgate.cli.ending import NEGATIVE, USAGE, end
from wicketgate.cli.options import DEFAULT_CONFIG, Ca, Config, Json, Url
from wicketgate.cli.output import clean, note, say, say_json, when
from wicketgate.model.secret import Secret

if TYPE_CHECKING:
    from wicketgate.cli.client import Client
    from wicketgate.cli.issuer import Site, Wanted

DEFAULT_FILE: Final = Path("~/.config/wicket/token")


def login(
    name: Annotated[
        str | None, typer.Argument(help="A SAML identity provider, by its name in the gateway's policy.")
    ] = None,
    issuer: Annotated[
        str | None,
        typer.Option("--issuer", envvar="WICKET_ISSUER", help="The issuer, as the gateway trusts it."),
    ] = None,
    client_id: Annotated[
        str | None,
        typer.Option("--client-id", envvar="WICKET_CLIENT_ID", help="A public client of the issuer."),
    ] = None,
    scope: Annotated[str, typer.Option("--scope", help="What is asked for.")] = "openid",
    resource: Annotated[
        str | None, typer.Option("--resource", help="The API that the token is for, where the issuer asks.")
    ] = None,
    id_token: Annotated[
        bool, typer.Option("--id-token", help="Keep the ID token in place of the access token.")
    ] = False,
    device: Annotated[
        bool, typer.Option("--device", help="Enter a code in a browser on another machine.")
    ] = False,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open a browser, or only print the address.")
    ] = True,
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Where the browser comes back to; 0: any.")
    ] = 0,
    offline: Annotated[
        bool, typer.Option("--offline", help="Ask for a refresh token too: later on no browser is needed.")
    ] = False,
    renew: Annotated[
        bool, typer.Option("--renew", help="Only by the refresh token that was kept; ask nobody.")
    ] = False,
    out: Annotated[Path, typer.Option("--out", "-o", help="Where the token is kept.")] = DEFAULT_FILE,
    config: Config = DEFAULT_CONFIG,
    url: Url = None,
    ca: Ca = None,
    as_json: Json = False,
) -> None:
    """Sign in at your identity provider, and keep the token in a file that only you can read.

    The token is then the password at the gateway, until it expires; your name there is `user`.

    Examples:

      wicket login --issuer https://login.example.com/realms/acme --client-id wicket-cli

      wicket login --device --issuer https://login.example.com/realms/acme --client-id wicket-cli

      wicket login --offline --issuer https://login.example.com/realms/acme --client-id wicket-cli

      wicket login corp --url https://gateway:18443 --ca wicket-ca.pem
    """
    import webbrowser

    path = out.expanduser()
    if name is not None:
        _at_gateway(name, _gateway(config, url, ca), path, browser, port, as_json)
        return
    if issuer is None or client_id is None:
        end("name a SAML identity provider of the gateway, or give --issuer and --client-id", USAGE)

    from wicketgate.cli.door import Door
    from wicketgate.cli.issuer import Site, Wanted, claims

    wanted = Wanted(issuer, client_id, scope, resource, id_token, offline)
    site = Site(wanted)
    token = _renewed(site, wanted, path)
    if token is not None:
        pass
    elif renew:
        end("there is no refresh token for this that the issuer takes: sign in with --offline", NEGATIVE)
    elif device:
        token = site.device(_show)
    else:
        with Door(port) as door:
            begun = site.begin(f"http://127.0.0.1:{door.server_port}/callback")
            note("Sign in with a browser on this machine (or try --device):")
            note(f"  {clean(begun.address)}")
            if browser:
                webbrowser.open(begun.address)
            token = site.finish(begun, door.wait(begun.state))
    _keep(path, token.reveal())
    _keep_refresh(path, wanted, site.refresh)
    found = claims(token)
    ends = found.get("exp")
    until = int(ends) * 1_000_000_000 if isinstance(ends, int | float) else None
    if as_json:
        say_json({"file": str(path), "subject": found.get("sub"), "expires": until})
        return
    say(f"{path}: a token of {clean(found.get('sub', 'nobody'))}, good until {when(until)}")
    note(f'Use it:  PGPASSWORD=$(cat {path}) psql "host=GATEWAY user=YOUR-NAME dbname=RESOURCE"')
    note(f"Ask who you are:  wicket whoami --url https://GATEWAY:18443 --token-file {path}")


def _gateway(config: Path, url: str | None, ca: str | None) -> "Client":
    """The API, for who has no token yet."""
    from wicketgate.cli.client import Client, unproven
    from wicketgate.cli.options import client

    return client(config, None, None, ca) if url is None else Client(unproven(url, ca))


def _at_gateway(name: str, client: "Client", path: Path, browser: bool, port: int, as_json: bool) -> None:
    """Sign in at a SAML identity provider that the gateway trusts."""
    import webbrowser

    from wicketgate.cli.saml import sign_in

    def show(address: str) -> None:
        note("Sign in with a browser on this machine:")
        note(f"  {clean(address)}")
        if browser:
            webbrowser.open(address)

    given = sign_in(client, name, port, show)
    _keep(path, given.token.reveal())
    if as_json:
        facts = {"identity": given.identity, "groups": list(given.groups), "expires": given.expires}
        say_json({"file": str(path), **facts})
        return
    say(f"{path}: a token of {clean(given.identity)}, good until {when(given.expires)}")
    note(
        f'Use it:  PGPASSWORD=$(cat {path}) psql "host=GATEWAY user={clean(given.identity)} dbname=RESOURCE"'
    )


def _show(address: str, code: str) -> None:
    note(f"Open {clean(address)} in a browser, and see that it shows {clean(code)}")


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.refresh")


def _whose(wanted: "Wanted") -> dict[str, object]:
    """What a refresh token is for: it is used for nothing else."""
    return {
        "issuer": wanted.issuer,
        "client": wanted.client,
        "resource": wanted.resource,
        "id_token": wanted.identity,
    }


def _renewed(site: "Site", wanted: "Wanted", path: Path) -> Secret | None:
    """A token by the refresh token that was kept, or None. One that is taken no more is thrown away."""
    try:
        kept = json.loads(_beside(path).read_text("ascii"))
        refresh = Secret(str(kept.pop("refresh")).encode("ascii"))
    except (OSError, ValueError, KeyError, AttributeError):
        return None
    if kept != _whose(wanted):
        return None
    token = site.renew(refresh)
    if token is None:
        with suppress(OSError):
            _beside(path).unlink()
    return token


def _keep_refresh(path: Path, wanted: "Wanted", refresh: Secret | None) -> None:
    if refresh is None:
        with suppress(OSError):
            _beside(path).unlink()
        return
    kept = {**_whose(wanted), "refresh": refresh.reveal().decode("ascii")}
    _keep(_beside(path), json.dumps(kept).encode("ascii"))


def _keep(path: Path, token: bytes) -> None:
    """Write the file anew, for nobody else's eyes. Ends the command where that can't be done."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        number = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(number, "wb") as file:
            file.write(token)
        fresh.replace(path)
    except OSError as error:
        with suppress(OSError):
            fresh.unlink()
        end(f"{path} can't be written: {error.strerror}", USAGE)
