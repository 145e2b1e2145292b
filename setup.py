"""Compiles the modules that pyproject.toml lists in [tool.wicketgate] with mypyc, given a C compiler.

The same files run uncompiled with the same results. A type error in a listed module fails the build: plain
Python is the answer to a missing compiler alone, never to a mistake.

WICKET_PURE=1 builds plain Python; WICKET_COMPILED=1 fails when there is no compiler. An editable install is
always plain, as a compiled module would shadow every later edit.
"""

import os
import shlex
import subprocess
import sys
import sysconfig
import tempfile
import tomllib
from pathlib import Path

from setuptools import setup

HERE = Path(__file__).resolve().parent


def has_compiler() -> bool:
    """Whether a C file that includes Python.h compiles."""
    compiler = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "probe.c"
        source.write_text("#include <Python.h>\nint main(void) { return 0; }\n")
        command = [*compiler, "-c", f"-I{sysconfig.get_path('include')}", str(source), "-o", f"{source}.o"]
        try:
            return subprocess.run(command, capture_output=True, check=False).returncode == 0
        except OSError:
            return False


def extensions() -> list:
    listed = tomllib.loads((HERE / "pyproject.toml").read_text())["tool"]["wicketgate"]["compiled"]
    if not listed or os.environ.get("WICKET_PURE") == "1" or "editable_wheel" in sys.argv:
        return []
    if {"egg_info", "dist_info"} & set(sys.argv):
        return []  # only the name and the like are asked for, before the build: mypyc would run twice
    if not has_compiler():
        if os.environ.get("WICKET_COMPILED") == "1":
            raise SystemExit("WICKET_COMPILED=1, but there is no C compiler with Python's headers")
        print("wicketgate: no C compiler, so the inner loops stay plain Python (slower, same results)")
        return []
    from mypyc.build import mypycify

    made = mypycify(
        ["--config-file=pyproject.toml", "--ignore-missing-imports", "--follow-imports=silent", *listed],
        opt_level=os.environ.get("MYPYC_OPT_LEVEL", "3"),
    )
    if sys.platform == "linux":
        # One library: its functions call each other directly, not through a table that others could change.
        for each in made:
            each.extra_compile_args += ["-fno-semantic-interposition", "-fvisibility=hidden"]
            each.extra_link_args += ["-Wl,-Bsymbolic"]
    return made


setup(ext_modules=extensions())
