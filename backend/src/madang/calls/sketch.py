"""Durations as DDSketches: percentiles that merge, within one per cent of the exact value.

Masson, Rim, Lee: DDSketch, a fast and fully-mergeable quantile sketch with relative-error
guarantees (VLDB 2019). Stored as the library's protobuf, which other languages read too.
"""

from ddsketch.ddsketch import BaseDDSketch, DDSketch
from ddsketch.pb.ddsketch_pb2 import DDSketch as Message
from ddsketch.pb.proto import DDSketchProto

RELATIVE_ACCURACY = 0.01


def empty() -> DDSketch:
    """A sketch of no durations."""
    return DDSketch(RELATIVE_ACCURACY)


def to_bytes(sketch: BaseDDSketch) -> bytes:
    """As protobuf."""
    message: Message = DDSketchProto.to_proto(sketch)  # type: ignore[no-untyped-call]  # no types there
    serialized: bytes = message.SerializeToString()
    return serialized


def from_bytes(raw: bytes) -> BaseDDSketch:
    """Back from protobuf; counts and quantiles are kept, the extremes and the sum are not."""
    message = Message()
    message.ParseFromString(raw)
    read: BaseDDSketch = DDSketchProto.from_proto(message)  # type: ignore[no-untyped-call]  # same
    return read


def merge_into(sketch: BaseDDSketch, raw: bytes) -> None:
    """Add a stored sketch to `sketch`."""
    sketch.merge(from_bytes(raw))


def quantile_us(sketch: BaseDDSketch, quantile: float) -> int:
    """The duration in microseconds at `quantile` (0 to 1); 0 of an empty sketch."""
    value = sketch.get_quantile_value(quantile)
    return 0 if value is None else round(value)
