"""The spool: calls on local disk between the answer that made them and their delivery.

A directory of segments. Each writer (an API worker) appends to segments of its own and holds an
exclusive `flock` on them, so a segment without a lock has no writer and will not grow. A segment
is a 64-byte header followed by records:

    header   magic "MDGSPOOL" · u32 version · u32 header size · u64 cursor of each reader (two)
    record   u32 length of the rest · u32 CRC-32 of the rest · u16 length of traceparent
             · traceparent (ASCII) · call event (JSON)

Integers are little-endian. The readers' cursors stand in the header because that space is
allocated already: a full disk cannot stop a cursor from moving.
"""

from madang.calls.spool.format import HEADER_BYTES, LARGEST_RECORD, Reader, Record, frame
from madang.calls.spool.reader import SpoolReader
from madang.calls.spool.segment import Segment
from madang.calls.spool.state import SpoolState, spool_state
from madang.calls.spool.writer import SpoolWriter, spool_bytes

__all__ = [
    "HEADER_BYTES",
    "LARGEST_RECORD",
    "Reader",
    "Record",
    "Segment",
    "SpoolReader",
    "SpoolState",
    "SpoolWriter",
    "frame",
    "spool_bytes",
    "spool_state",
]
