"""What the benches share: real services, load, and what it costs them.

The tests' own `tests.services` starts the services; it is put on the path here, once.
"""

import sys
from pathlib import Path

BENCH = Path(__file__).resolve().parents[1]
REPOSITORY = BENCH.parent

sys.path.append(str(REPOSITORY / "backend"))
