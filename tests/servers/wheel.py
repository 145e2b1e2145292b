"""Builds a wheel from a copy of the sources, outside the checkout, and installs it into a folder."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
_PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check")


def compiled_modules() -> dict[str, Path]:
    """Module name -> path below the checkout, of each module that pyproject.toml lists for mypyc."""
    listed: list[str] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["wicketgate"]["compiled"]
    return {path.removeprefix("src/").removesuffix(".py").replace("/", "."): Path(path) for path in listed}


def search_path(site: Path) -> str:
    """PYTHONPATH that finds the installed wheel before the checkout, and our own dependencies."""
    return os.pathsep.join((str(site), sysconfig.get_path("purelib"), sysconfig.get_path("platlib")))


def install(folder: Path, environment: Mapping[str, str]) -> Path:
    """Build and install; the folder that holds the package. Raises RuntimeError with what pip printed."""
    copy = folder / "copy"
    copy.mkdir(parents=True)
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy / name)
    unwanted = shutil.ignore_patterns("*.so", "__pycache__", "*.egg-info")
    shutil.copytree(ROOT / "src", copy / "src", ignore=unwanted)
    built = folder / "built"
    _run(
        [*_PIP, "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(built), str(copy)], environment
    )
    (wheel,) = built.glob("*.whl")
    site = folder / "site"
    _run([*_PIP, "install", "-q", "--no-deps", "--no-index", "--target", str(site), str(wheel)], {})
    return site


def files(site: Path) -> dict[str, str]:
    """Module name -> file that Python really imports it from, for each listed module."""
    names = list(compiled_modules())
    code = "import importlib, sys\nfor name in sys.argv[1:]: print(importlib.import_module(name).__file__)"
    printed = _run([sys.executable, "-c", code, *names], {"PYTHONPATH": search_path(site)}, cwd=site)
    return dict(zip(names, printed.split("\n"), strict=False))


def _run(command: list[str], environment: Mapping[str, str], cwd: Path | None = None) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=cwd, env={**os.environ, **environment}
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}:\n{done.stdout[-6000:]}{done.stderr[-6000:]}")
    return done.stdout
