"""What pip builds from the sources: a wheel that installs, compiled if it can be, same results."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
COMPILED: list[str] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["wicketgate"]["compiled"]


def run(*command: str | Path, environment: dict[str, str] | None = None, cwd: Path | None = None) -> str:
    done = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env={**os.environ, **(environment or {})},
    )
    assert done.returncode == 0, f"{command}: {done.stdout[-6000:]}{done.stderr[-6000:]}"
    return done.stdout


def install(folder: Path, environment: dict[str, str]) -> Path:
    """Build a wheel from a copy of the sources, outside the checkout, and install it; the folder it is in."""
    copy = folder / "copy"
    copy.mkdir()
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy / name)
    shutil.copytree(
        ROOT / "src", copy / "src", ignore=shutil.ignore_patterns("*.so", "__pycache__", "*.egg-info")
    )
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
    build = (*pip, "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", folder, copy)
    run(*build, environment={"MYPYC_OPT_LEVEL": "0", **environment})
    (wheel,) = folder.glob("*.whl")
    site = folder / "site"
    run(*pip, "install", "-q", "--no-deps", "--no-index", "--target", site, wheel)
    return site


def check(site: Path, suffix: str) -> None:
    """The installed program starts, and each listed module is of the expected kind."""
    search = {"PYTHONPATH": f"{site}{os.pathsep}{sysconfig.get_path('purelib')}"}
    told = run(sys.executable, site / "bin" / "wicket", "--version", environment=search, cwd=site)
    assert told.split()[-1] == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    for path in COMPILED:
        module = path.removeprefix("src/").removesuffix(".py").replace("/", ".")
        file = run(
            sys.executable, "-c", f"import {module} as m; print(m.__file__)", environment=search, cwd=site
        ).strip()
        assert file.startswith(str(site))
        assert file.endswith(suffix), file


@pytest.mark.timeout(900)
def test_a_compiled_wheel_gives_the_same_results(tmp_path: Path) -> None:
    site = install(tmp_path, {"WICKET_COMPILED": "1"})
    check(site, ".so")
    tests = sorted({ROOT / "tests" / Path(path).parent.relative_to("src/wicketgate") for path in COMPILED})
    there = [folder for folder in tests if folder.is_dir()]
    assert there or not COMPILED
    search = {
        "PYTHONPATH": f"{site}{os.pathsep}{sysconfig.get_path('purelib')}",
        "HYPOTHESIS_PROFILE": "short",
    }
    if there:
        run(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *there, environment=search, cwd=ROOT)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "environment", [{"WICKET_PURE": "1"}, {"CC": "/nonexistent/cc"}], ids=["asked", "no-compiler"]
)
def test_a_plain_wheel_works(tmp_path: Path, environment: dict[str, str]) -> None:
    check(install(tmp_path, environment), ".py")


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
