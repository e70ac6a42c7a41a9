"""What comes twice, and what is no call event, does not disturb what is recorded."""

import json
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from madang.calls.event import encode
from madang.calls.spool import HEADER_BYTES, Reader, SpoolReader
from tests.chaos.comparison import assert_whole
from tests.chaos.events import call_now, messages, produce
from tests.chaos.world import BURST, World
from tests.services.waiting import wait_until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(120)]


def set_cursors_back(world: World) -> int:
    """As if the shipper had been killed before any of its cursors moved; how many bytes."""
    reader = SpoolReader(world.spool, Reader.durable)
    for segment in reader.segments():
        segment.advance(HEADER_BYTES)
    sent_again = reader.backlog_bytes()
    reader.close()
    return sent_again


def recorded_messages(world: World) -> int:
    return sum(following for following, _ in world.history.offsets().values())


def test_batch_that_the_shipper_sends_again_is_recorded_once(world: World) -> None:
    calls_before, messages_before = len(world.history.ids()), recorded_messages(world)
    with world.ledger.clients():
        for _ in range(2):
            world.ledger.wait_for_answers(2 * BURST)
            delivered = set(world.ledger.answered)
            wait_until(partial(world.history.holds, delivered), 30, "the first delivery")
            with world.ledger.fault():
                world.stack.ship.kill()
                assert set_cursors_back(world) > 0
                world.stack.ship.start()
                world.ledger.wait_for_answers(BURST)
    world.assert_whole()
    calls = len(world.history.ids()) - calls_before
    assert recorded_messages(world) - messages_before >= calls + 4 * BURST
    world.ledger.assert_nobody_waited()


def test_messages_that_are_in_the_topic_twice_are_recorded_once(world: World) -> None:
    with world.ledger.clients():
        world.ledger.wait_for_answers(2 * BURST)
        wait_until(world.history.ids, 20, "the first calls in history")
        again = [message.value() or b"" for message in messages(world.kafka, world.topic, {})]
        with world.ledger.fault():
            for partition in (0, 1, 2):
                produce(world.kafka, world.topic, again, partition)
            world.ledger.wait_for_answers(BURST)
    world.assert_whole()
    world.ledger.assert_nobody_waited()


def test_what_is_no_call_event_is_kept_with_its_reason_and_never_in_the_way(world: World) -> None:
    good = call_now()
    fields = json.loads(encode(good))
    strangers = {
        "malformed": b'{"id": "0198-',
        "no JSON at all": b"\xff\xfe\x00",
        "empty": b"",
        "oversized": encode(call_now())[:-1] + b',"more":"' + b"x" * 20_000 + b'"}',
        "unknown schema": json.dumps({**fields, "schema": 2}).encode(),
        "another time than its id": json.dumps(
            {**fields, "timestamp": "2001-01-01T00:00:00Z"}
        ).encode(),
    }
    with world.ledger.clients():
        world.ledger.wait_for_answers(BURST)
        with world.ledger.fault():
            for value in strangers.values():
                produce(world.kafka, world.topic, [value], partition=0)
                produce(world.kafka, world.topic, [encode(call_now()), value], partition=1)
            produce(world.kafka, world.topic, [encode(good)], partition=2)
            world.ledger.wait_for_answers(BURST)
    assert_whole([*world.ledger.answered, good.id], world.history)
    wanted = 2 * len(strangers)
    wait_until(lambda: len(world.history.rejected()) >= wanted, 20, "the rejected events")
    rejected = world.history.rejected()
    assert sorted(value for _, value in rejected) == sorted([*strangers.values()] * 2)
    assert all(reason for reason, _ in rejected)
    world.ledger.assert_nobody_waited()


def test_calls_dated_ahead_are_in_history_marked_and_counted_at_their_receipt(
    world: World,
) -> None:
    before = datetime.now(UTC)
    ahead = [call_now(timedelta(**{unit: 3})) for unit in ("minutes", "hours", "weeks")]
    tolerated = call_now(timedelta(seconds=2))
    with world.ledger.clients():
        values = [encode(event) for event in (*ahead, tolerated)]
        produce(world.kafka, world.topic, values)
        world.ledger.wait_for_answers(BURST)
    assert_whole([*world.ledger.answered, *(e.id for e in ahead), tolerated.id], world.history)
    marks = world.history.counted_at()
    assert set(marks) == {event.id for event in ahead}
    assert all(before <= moment <= datetime.now(UTC) for moment in marks.values())
