"""What of each segment is on its way to Kafka, and up to where it has arrived."""

from collections import deque
from dataclasses import dataclass, field

from madang.calls.spool import Segment


@dataclass(slots=True)
class Sent:
    """One record on its way; `end` is the cursor once it and all before it are delivered."""

    end: int
    done: bool = False


@dataclass(slots=True)
class Progress:
    """How far one segment is read, what of it is on its way, and where the rest lies in Kafka."""

    segment: Segment
    read_to: int
    in_flight: deque[Sent] = field(default_factory=deque)
    ends: dict[int, int] = field(default_factory=dict)
    """By partition, the offset after the last of its records there."""

    def send(self, end: int) -> Sent:
        """Note that the record that ends there is read and on its way."""
        sent = Sent(end)
        self.in_flight.append(sent)
        self.read_to = end
        return sent

    def lies_at(self, partition: int, offset: int) -> None:
        """Note where a broker keeps one of its records."""
        self.ends[partition] = max(self.ends.get(partition, 0), offset + 1)

    def settle(self) -> bool:
        """Move the cursor over all that is delivered without a gap; whether it moved."""
        end = 0
        while self.in_flight and self.in_flight[0].done:
            end = self.in_flight.popleft().end
        if end:
            self.segment.advance(end)
        return end > 0
