"""The second delivery of the spool: to the live store in Redis, never in the way of Kafka."""

import threading

import structlog

from madang.calls.recent import RedisRecentCalls
from madang.calls.shipper import FULL_BATCH, GATHER_SECONDS, RETRY_SECONDS
from madang.calls.spool import Reader, Segment, SpoolReader
from madang.errors import SpoolError, UnavailableError

log = structlog.get_logger(__name__)

REDIS_BATCH = 500


class RedisShipper:
    """Delivers the spool to the stream of the newest calls, as well as Redis allows."""

    def __init__(self, recent: RedisRecentCalls, reader: SpoolReader) -> None:
        self._recent = recent
        self._reader = reader
        self._healthy = True
        self._has_skipped = False

    def run(self, stop: threading.Event) -> None:
        """Deliver until `stop` is set; while Redis or the spool fails, try once a second."""
        while not stop.is_set():
            try:
                sent = self.step()
                self._healthy = True
            except (UnavailableError, SpoolError, OSError) as error:
                if self._healthy:
                    _tell(error)
                self._healthy = False
                stop.wait(RETRY_SECONDS)
            else:
                if sent < FULL_BATCH:
                    stop.wait(GATHER_SECONDS)

    def step(self) -> int:
        """Send what is new; how many calls.

        Raises:
            RedisUnavailableError: Redis did not take it; the cursor has not moved.
            SpoolError, OSError: the spool cannot be read, or the cursor not be moved.
        """
        if self._has_skipped:
            # Before the gap is told: what is skipped meanwhile is another one.
            self._has_skipped = False
            try:
                self._recent.add_gap()
            except UnavailableError:
                self._has_skipped = True
                raise
        sent = 0
        for segment in self._reader.segments():
            records = segment.read(segment.cursor())
            for start in range(0, len(records), REDIS_BATCH):
                chunk = records[start : start + REDIS_BATCH]
                self._recent.add([record.event for record in chunk])
                segment.advance(chunk[-1].end)
            sent += len(records)
        return sent

    def is_behind(self, segment: Segment) -> bool:
        """Whether the segment should be kept for this reader a little longer.

        While Redis is away it need not be; what is then skipped will show as a gap.
        """
        if segment.is_delivered(Reader.live):
            return False
        self._has_skipped = self._has_skipped or not self._healthy
        return self._healthy


def _tell(error: Exception) -> None:
    if isinstance(error, UnavailableError):
        log.warning("redis_unavailable", reason=str(error.__cause__))
    else:
        log.error("live_delivery_failed", reason=str(error))
