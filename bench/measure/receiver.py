"""`python -m measure.receiver PORT`: takes OpenTelemetry data and keeps none of it."""

import sys

from madang.signals import stop_event
from tests.services.otlp import otlp_receiver

_EMPTY_EVERY_SECONDS = 1.0


def main() -> None:
    """Receive until SIGTERM or SIGINT."""
    ending = stop_event()
    with otlp_receiver(int(sys.argv[1])) as receiver:
        while not ending.wait(_EMPTY_EVERY_SECONDS):
            receiver.spans.clear()
            receiver.metrics.clear()
            receiver.logs.clear()


if __name__ == "__main__":
    main()
