"""What pip builds from the sources: a wheel that installs, compiled if it can be, same results."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from servers import wheel
from servers.wheel import ROOT


def check(site: Path, suffix: str) -> None:
    """The installed program starts, and each listed module is of the expected kind."""
    environment = {**os.environ, "PYTHONPATH": wheel.search_path(site)}
    command = [sys.executable, site / "bin" / "wicket", "--version"]
    told = subprocess.run(command, env=environment, cwd=site, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    assert (
        told.stdout.split()[-1] == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    )
    for file in wheel.files(site).values():
        assert file.startswith(str(site))
        assert file.endswith(suffix)


@pytest.mark.timeout(900)
def test_a_compiled_wheel_gives_the_same_results(tmp_path: Path) -> None:
    """The tests of the packages that hold compiled modules pass on the compiled ones too."""
    # gcc looks for two minutes for what to warn of in the one large file that mypyc writes
    site = wheel.install(tmp_path, {"WICKET_COMPILED": "1", "MYPYC_OPT_LEVEL": "0", "CFLAGS": "-w"})
    check(site, ".so")
    modules = wheel.compiled_modules()
    tests = set().union(*(_tests_of(path) for path in modules.values()))
    assert modules
    environment = {**os.environ, "PYTHONPATH": wheel.search_path(site), "HYPOTHESIS_PROFILE": "short"}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist", *sorted(tests)]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-6000:]


def _tests_of(module: Path) -> set[Path]:
    """What tests a module: of its package's tests those that name it, or use what is beside them."""
    folder = ROOT / "tests" / module.parent.relative_to("src/wicketgate")
    name = ".".join(module.with_suffix("").parts[1:])
    beside = {
        each.stem for each in folder.glob("*.py") if not each.stem.startswith(("test_", "conftest", "__"))
    }
    found = set()
    for each in folder.glob("test_*.py"):
        text = each.read_text()
        named = name in text or f"{name.rpartition('.')[0]} import" in text
        if named or (folder.name != "sql" and any(f"{other} import" in text for other in beside)):
            found.add(each)
    return found


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "environment", [{"WICKET_PURE": "1"}, {"CC": "/nonexistent/cc"}], ids=["asked", "no-compiler"]
)
def test_a_plain_wheel_works(tmp_path: Path, environment: dict[str, str]) -> None:
    check(wheel.install(tmp_path, environment), ".py")


def test_a_mistake_in_a_compiled_module_fails_the_build(tmp_path: Path) -> None:
    """A type error must stop the build: a wheel that is silently plain would be slow without a word."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "wrong.py").write_text("def number() -> int:\n    return 'text'\n")
    (tmp_path / "pyproject.toml").write_text("[tool.wicketgate]\ncompiled = ['src/wrong.py']\n")
    shutil.copy(ROOT / "setup.py", tmp_path)
    command = [sys.executable, "setup.py", "build_ext"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "wrong.py:2" in done.stdout + done.stderr
