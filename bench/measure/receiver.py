"""`python -m measure.receiver PORT`: takes OpenTelemetry data and keeps none of it."""

import signal
import sys
import threading

from tests.services.otlp import otlp_receiver

_EMPTY_EVERY_SECONDS = 1.0


def main() -> None:
    """Receive until SIGTERM."""
    ending = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ending.set())
    with otlp_receiver(int(sys.argv[1])) as receiver:
        while not ending.wait(_EMPTY_EVERY_SECONDS):
            receiver.spans.clear()
            receiver.metrics.clear()
            receiver.logs.clear()


if __name__ == "__main__":
    main()
