"""`make demo ARGS=--once` does what the README says: asked, masked, refused, replayed, verified."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from servers.system import free_port

ROOT = Path(__file__).parent.parent


@pytest.mark.timeout(300)
def test_the_demo_runs_to_its_end() -> None:
    command = [sys.executable, "-m", "demo", "--once", "--port", str(free_port())]
    environment = {
        **os.environ,
        "PYTHONPATH": f"{ROOT / 'tests'}{os.pathsep}{ROOT / 'examples'}",
        "COLUMNS": "140",
    }
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "unexpected" not in done.stdout
    assert "wkp1_" in done.stdout
    assert "[redacted:national-id]" in done.stdout
    assert "0 are among them" in done.stdout
    assert "Dropping and truncating are not done through the gateway" in done.stdout
    assert "\nsound" in done.stdout
