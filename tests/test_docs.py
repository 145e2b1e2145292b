"""What the documents show is true: links lead somewhere, commands exist, the README's policy loads."""

import re
import shlex
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from wicketgate.cli.main import app

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted(
    [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(path for path in (ROOT / "examples").rglob("*.md") if "node_modules" not in path.parts),
    ]
)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(path: Path) -> None:
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", path.read_text())
    missing = [link for link in links if not (path.parent / link).exists()]
    assert missing == []


def shown() -> list[tuple[str, str]]:
    """(document, command) of each `wicket …` in a document's code."""
    found = []
    for path in DOCUMENTS:
        text = path.read_text()
        code = "\n".join(re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
        lines = [line for line in code.splitlines() if re.match(r"(?:\$ )?wicket ", line)]
        inline = re.findall(
            r"`(wicket [^`]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
        )
        for command in [*lines, *inline]:
            found.append((path.relative_to(ROOT).as_posix(), command.removeprefix("$ ")))
    return found


@pytest.mark.parametrize(("document", "command"), shown())
def test_commands_and_options_exist(document: str, command: str) -> None:
    words = shlex.split(re.sub(r"\s[>&|].*", "", command), comments=True)[1:]
    here = typer.main.get_command(app)
    context = typer.Context(here)
    while words and hasattr(here, "commands") and not words[0].startswith("-"):
        name = words.pop(0)
        if name in ("…", "..."):
            return
        assert name in here.commands, f"{document}: {command}: no {name!r} in {sorted(here.commands)}"
        here = here.commands[name]
    known = {option for parameter in here.get_params(context) for option in parameter.opts}
    wanted = {
        word.strip("[]").partition("=")[0]
        for word in words
        if word.lstrip("[").startswith("-") and word != "-"
    }
    assert wanted <= known | {"--help"}, f"{document}: {command}: {wanted - known}"


def test_the_readmes_policy_loads(tmp_path: Path) -> None:
    (block,) = re.findall(r"^```yaml\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    file = tmp_path / "wicket.yaml"
    file.write_text(block)
    done = CliRunner().invoke(app, ["check", "--offline", "-c", str(file)])
    assert done.exit_code == 0, done.output
