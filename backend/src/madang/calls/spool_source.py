"""The spool as a recorder's source, for the embedded process that has no broker."""

import threading
import time
from collections.abc import Sequence

from madang.calls import offsets
from madang.calls.recorder import Batch, RawEvent
from madang.calls.spool import Segment, SpoolReader
from madang.db.engine import Database

GATHER_SECONDS = 0.03
EMBEDDED_PARTITION = 0


class SpoolSource:
    """Each segment is a topic of one partition whose offsets are bytes.

    The database's offset is the truth; the cursor in the segment only tells when it can go.
    """

    def __init__(self, reader: SpoolReader, database: Database) -> None:
        self._reader = reader
        self._database = database
        self._positions: dict[str, int] = {}
        self._gathering = threading.Event()
        self._segments: dict[str, Segment] = {}

    def poll(self, timeout_seconds: float) -> Sequence[Batch]:
        """One batch for each segment that holds something new.

        Between two looks calls gather for a moment, for a transaction costs more than they do.
        """
        deadline = time.monotonic() + timeout_seconds
        while True:
            self._gathering.wait(GATHER_SECONDS)
            batches = [
                batch for segment in self._reader.segments() for batch in self._read(segment)
            ]
            if batches or time.monotonic() >= deadline:
                return batches

    def recorded(self, batch: Batch) -> None:
        """Move on."""
        self._positions[batch.topic_id] = batch.end
        self._segments[batch.topic_id].advance(batch.end)

    def seek(self, batch: Batch, offset: int | None) -> None:
        """Go back, or ahead."""
        if offset is None:
            self._positions.pop(batch.topic_id, None)
        else:
            self._positions[batch.topic_id] = offset

    def close(self) -> None:
        """Close the segments."""
        self._reader.close()

    def _read(self, segment: Segment) -> list[Batch]:
        position = self._position(segment)
        finished = not segment.has_writer()
        records = segment.read(position)
        if not records:
            if finished:
                self._finish(segment)
            return []
        events = [RawEvent(item.event, item.end, item.traceparent) for item in records]
        end = records[-1].end
        return [Batch(segment.name, 0, position, end, events, EMBEDDED_PARTITION)]

    def _position(self, segment: Segment) -> int:
        if segment.name not in self._positions:
            with self._database.write() as connection:
                stored = offsets.find(connection, segment.name, 0)
                if stored is None:
                    stored = segment.cursor()
                    offsets.begin(connection, segment.name, 0, stored)
            self._positions[segment.name] = stored
            self._segments[segment.name] = segment
        return self._positions[segment.name]

    def _finish(self, segment: Segment) -> None:
        with self._database.write() as connection:
            offsets.forget(connection, segment.name)
        self._reader.remove(segment)
        del self._positions[segment.name], self._segments[segment.name]
