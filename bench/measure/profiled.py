"""`python -m measure.profiled FILE record|ship --port PORT`: it, and what its time goes to.

Writes, when it ends, how often each module and each function of ours was at work, as JSON.
"""

import sys
from pathlib import Path

import msgspec

from madang.recording import record
from madang.shipping import ship
from measure.samples import Samples


def main() -> None:
    """Run until SIGTERM, then write what was seen."""
    file, command, _, port = sys.argv[1:]
    run = {"record": record, "ship": ship}[command]
    samples = Samples()
    with samples.taken():
        run("127.0.0.1", int(port))
    Path(file).write_bytes(msgspec.json.encode(samples.profile()))


if __name__ == "__main__":
    main()
