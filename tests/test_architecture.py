"""The house rules that a machine can check: DESIGN sections 2, 3 and 6."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "wicketgate"

PURE = ("model", "policy", "sql", "masking", "protocols")
NOT_PURE = {
    "asyncio",
    "socket",
    "ssl",
    "time",
    "random",
    "secrets",
    "selectors",
    "uvloop",
    "subprocess",
}

ONE_MODULE = {"postgast": "sql/parse.py", "cel_expr_python": None}
"""A package -> the only module that may import it (None: any one, but only one)."""

OTHER_MEANING = re.compile(r"(?i)postgres(?:ql)?|asyncpg")
"""In these places it is the name of the gateway's own store, or of the SQL dialect, not of the protocol."""
OTHER_MEANING_FILES = ("store/", "settings.py", "app.py", "control/", "sql/")

UNWANTED = ("manager", "helper", "util", "common", "misc", "handler")


@cache
def modules() -> tuple[tuple[str, str, ast.Module], ...]:
    """(path below src/wicketgate, text, tree) of each module."""
    found = []
    for path in sorted(SOURCE.rglob("*.py")):
        text = path.read_text()
        found.append((path.relative_to(SOURCE).as_posix(), text, ast.parse(text)))
    return tuple(found)


def imported(tree: ast.Module) -> Iterator[str]:
    """Every module that is imported anywhere in the file, function bodies too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def test_imports_go_one_way() -> None:
    command = [Path(sys.executable).parent / "lint-imports", "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_pure_packages_have_no_clock_and_no_sockets() -> None:
    """Law 9. The one exception: a database protocol's `catalog`, which reads the target's catalog."""
    wrong = [
        f"{path}: {name}"
        for path, _, tree in modules()
        if path.split("/")[0] in PURE and not re.fullmatch(r"protocols/\w+/catalog\.py", path)
        for name in imported(tree)
        if name.split(".")[0] in NOT_PURE
    ]
    assert wrong == []


def spoken(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """(line, word or text) of each name and each string that is not a docstring."""
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0)
        for name in ("id", "attr", "name", "arg", "module"):
            if isinstance(word := getattr(node, name, None), str):
                yield line, word
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            yield line, node.value


def test_a_protocol_is_named_only_in_its_folder() -> None:
    names = [path.name for path in (SOURCE / "protocols").iterdir() if (path / "__init__.py").exists()]
    assert "postgres" in names
    wrong = []
    for path, _, tree in modules():
        for name in names:
            if path == "protocols/registry.py" or path.startswith(f"protocols/{name}/"):
                continue
            for line, text in spoken(tree):
                said = OTHER_MEANING.sub("", text) if path.startswith(OTHER_MEANING_FILES) else text
                if re.search(rf"(?i)(?<![a-z]){name}", said):
                    wrong.append(f"{path}:{line}: {text[:80]!r}")
    assert wrong == []


def test_no_file_grows_past_400_lines() -> None:
    long = {path: len(text.splitlines()) for path, text, _ in modules() if len(text.splitlines()) > 400}
    assert long == {}, "split these: one file, one idea"


def test_only_the_gate_makes_proofs() -> None:
    """Law 2: Admission and Clearance are constructed in gate/ and nowhere else."""
    wrong = []
    for path, _, tree in modules():
        if path.startswith("gate/"):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                name = (
                    node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                )
                if name in ("Admission", "Clearance"):
                    wrong.append(f"{path}:{node.lineno}")
    assert wrong == []


def test_every_task_has_a_name_and_an_owner() -> None:
    """`create_task` wants name= and a place that keeps the task (a TaskGroup does); no `ensure_future`."""
    wrong = []
    for path, _, tree in modules():
        groups = {
            item.optional_vars.id
            for node in ast.walk(tree)
            if isinstance(node, ast.AsyncWith)
            for item in node.items
            if isinstance(item.optional_vars, ast.Name) and "TaskGroup" in ast.unparse(item.context_expr)
        }
        dropped = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name == "ensure_future":
                wrong.append(f"{path}:{node.lineno}: ensure_future")
            if name == "create_task":
                named = any(keyword.arg == "name" for keyword in node.keywords)
                owner = ast.unparse(node.func).rpartition(".")[0]
                if not named or (id(node) in dropped and owner not in groups):
                    wrong.append(f"{path}:{node.lineno}: a task without a name or an owner")
    assert wrong == []


@pytest.mark.parametrize("package", ONE_MODULE)
def test_replaceable_packages_stand_behind_one_module(package: str) -> None:
    users = [
        path for path, _, tree in modules() if package in {name.split(".")[0] for name in imported(tree)}
    ]
    wanted = ONE_MODULE[package]
    assert len(users) <= 1 if wanted is None else users == [wanted], users


def test_names_say_what_things_are() -> None:
    wrong = []
    for path, _, tree in modules():
        stem = Path(path).stem
        names = [stem] + [node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
        wrong += [
            f"{path}: {name}"
            for name in names
            if any(re.search(rf"(?:^|_){word}s?(?:_|$)|{word.title()}s?(?![a-z])", name) for word in UNWANTED)
        ]
    assert wrong == []


def test_every_module_says_what_it_is() -> None:
    assert [path for path, text, tree in modules() if text.strip() and not ast.get_docstring(tree)] == []


def test_compiled_modules_exist() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["wicketgate"]["compiled"]
    assert [path for path in listed if not (ROOT / path).is_file()] == []


def test_no_test_is_skipped() -> None:
    marks = re.compile(r"pytest\.(?:mark\.)?(?:skip|skipif|xfail|importorskip)\b" + r"|unittest\.skip")
    wrong = [path.name for path in sorted((ROOT / "tests").rglob("*.py")) if marks.search(path.read_text())]
    assert [name for name in wrong if name != Path(__file__).name] == []
