"""What the control process executes in this test: the gateway's own worker, with one protocol more."""

import sys

from seam.toy import TOY
from wicketgate.worker.main import run
from wicketgate.workshop import worker_ports

if __name__ == "__main__":
    sys.exit(run(int(sys.argv[1]), worker_ports({"toy": TOY})))
