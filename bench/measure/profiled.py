"""`python -m measure.profiled FILE record|ship`: that process of Madang, and where its time goes.

Writes, when it ends, how often each module and each function of ours was at work, as JSON.
"""

import sys
from pathlib import Path

import msgspec

from madang import bootstrap
from measure.samples import Samples


def main() -> None:
    """Run until SIGTERM, then write what was seen."""
    file, command = sys.argv[1:]
    run = {"record": bootstrap.record, "ship": bootstrap.ship}[command]
    samples = Samples()
    with samples.taken():
        run()
    Path(file).write_bytes(msgspec.json.encode(samples.profile()))


if __name__ == "__main__":
    main()
