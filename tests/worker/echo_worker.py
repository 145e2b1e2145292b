"""What the control process executes in tests: a worker that speaks echo."""

import sys

from wicketgate.worker.main import run
from worker.echo import worker_ports

if __name__ == "__main__":
    sys.exit(run(int(sys.argv[1]), worker_ports()))
