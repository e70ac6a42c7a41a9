"""The hub: fan-out, resuming, gaps, slow clients and ends."""

import asyncio

from madang.live.frames import PING, TOPICS
from madang.live.hub import Hub
from tests.unit.live.builders import Event, loaded_hub, next_events, run


def test_hub_gives_a_burst_in_one_frame_made_once_for_all() -> None:
    async def scenario() -> None:
        hub = loaded_hub()
        first, second = hub.subscribe(TOPICS), hub.subscribe(TOPICS)
        for subscription in (first, second):
            assert await subscription.take() == b"id: calls=0,messages=0\n\n"

        for number in range(3):
            hub.add("calls", f"{number + 1}", b'{"n":%d}' % number)

        frame = await first.take()
        assert frame is await second.take()
        assert frame.startswith(b"id: calls=3,messages=0\nevent: calls\ndata: [")

    run(scenario())


def test_hub_gives_topics_only_to_those_who_asked() -> None:
    async def scenario() -> None:
        hub = loaded_hub()
        messages = hub.subscribe(("messages",))
        hub.add("calls", "1", b'{"call":1}')
        hub.add("messages", "1", b'{"message":1}')

        assert await next_events(messages) == [Event("messages", [{"message": 1}], "messages=1")]

    run(scenario())


def test_a_stream_resumes_without_loss_or_repetition() -> None:
    async def scenario() -> None:
        hub = loaded_hub()
        witness = hub.subscribe(TOPICS)
        hub.add("calls", "1", b"1")
        hub.add("messages", "1", b"10")
        seen = (await next_events(witness))[-1].id
        hub.add("calls", "2", b"2")
        await next_events(witness)
        hub.add("calls", "3", b"3")  # waits for the next frame

        resumed = hub.subscribe(TOPICS, seen)

        assert await next_events(resumed) == [Event("calls", [2], "calls=2,messages=1")]
        assert await next_events(resumed) == [Event("calls", [3], "calls=3,messages=1")]

    run(scenario())


def test_what_was_missed_comes_in_pieces_that_can_each_be_resumed_from() -> None:
    async def scenario() -> None:
        hub = loaded_hub()
        witness = hub.subscribe(("calls",))
        for number in range(1, 451):
            hub.add("calls", f"{number}", b"%d" % number)
        await next_events(witness)

        events = await next_events(hub.subscribe(TOPICS, "calls=0,messages=0"))

        assert [event.id for event in events] == [
            f"calls={reached},messages=0" for reached in (200, 400, 450)
        ]
        assert [number for event in events for number in event.data] == list(range(1, 451))
        again = await next_events(hub.subscribe(TOPICS, events[1].id))
        assert [event.data for event in again] == [list(range(401, 451))]

    run(scenario())


def test_what_was_missed_is_made_once_for_all_who_come_back_together() -> None:
    async def scenario() -> None:
        hub = loaded_hub()
        witness = hub.subscribe(("calls",))
        hub.add("calls", "1", b"1")
        await next_events(witness)

        first, second = (hub.subscribe(("calls",), "calls=0") for _ in range(2))
        assert await first.take() is await second.take()

        hub.add("calls", "2", b"2")
        await next_events(witness)
        later = await next_events(hub.subscribe(("calls",), "calls=0"))
        assert [event.data for event in later] == [[1, 2]]

    run(scenario())


def test_more_places_to_come_back_from_than_are_kept_are_each_served() -> None:
    async def scenario() -> None:
        hub = loaded_hub()
        witness = hub.subscribe(("calls",))
        for number in range(1, 101):
            hub.add("calls", f"{number}", b"%d" % number)
        await next_events(witness)
        for number in range(100):
            (event,) = await next_events(hub.subscribe(("calls",), f"calls={number}"))
            assert event.data == list(range(number + 1, 101))

    run(scenario())


def test_a_stream_that_missed_nothing_resumes_silently() -> None:
    async def scenario() -> None:
        hub = loaded_hub()
        resumed = hub.subscribe(("calls",), "calls=0")
        assert await resumed.take() == b"id: calls=0\n\n"

    run(scenario())


def test_a_stream_is_told_of_a_gap_where_its_cursor_is_unknown() -> None:
    async def scenario() -> None:
        hub = loaded_hub()
        hub.add("messages", "1", b"1")
        await next_events(hub.subscribe(("messages",), "messages=0"))

        for unknown in ("calls=99", "calls=99,messages=1", "rubbish", "=,=", "messages=1,calls="):
            events = await next_events(hub.subscribe(TOPICS, unknown))
            assert events[0].name == "gap"
            assert "calls" in events[0].data["topics"]
            assert events[0].id == "calls=0,messages=1"

    run(scenario())


def test_a_gap_of_one_topic_leaves_the_other_whole() -> None:
    async def scenario() -> None:
        hub = loaded_hub()
        hub.add("messages", "1", b"1")
        await next_events(hub.subscribe(("messages",), "messages=0"))

        resumed = hub.subscribe(TOPICS, "calls=elsewhere,messages=0")

        assert await next_events(resumed) == [
            Event("gap", {"topics": ["calls"]}, "calls=0,messages=0"),
            Event("messages", [1], "calls=0,messages=1"),
        ]

    run(scenario())


def test_a_cursor_that_fell_out_of_the_ring_is_a_gap() -> None:
    async def scenario() -> None:
        hub = loaded_hub(held_events={"calls": 2, "messages": 2})
        witness = hub.subscribe(("calls",))
        for number in range(1, 4):
            hub.add("calls", f"{number}", b"%d" % number)
            await next_events(witness)

        assert (await next_events(hub.subscribe(("calls",), "calls=0")))[0].name == "gap"
        kept = await next_events(hub.subscribe(("calls",), "calls=1"))
        assert kept == [Event("calls", [2, 3], "calls=3")]

    run(scenario())


def test_more_events_than_the_ring_holds_between_two_frames_are_a_gap() -> None:
    async def scenario() -> None:
        hub = loaded_hub(held_events={"calls": 2, "messages": 2})
        stream = hub.subscribe(("calls",))
        for number in range(1, 6):
            hub.add("calls", f"{number}", b"%d" % number)

        assert await next_events(stream) == [Event("gap", {"topics": ["calls"]}, "calls=5")]

    run(scenario())


def test_loading_a_topic_anew_tells_open_streams() -> None:
    async def scenario() -> None:
        hub = loaded_hub()
        stream = hub.subscribe(TOPICS)
        hub.load("messages", "9", [("8", b"8"), ("9", b"9")])

        gap = Event("gap", {"topics": ["messages"]}, "calls=0,messages=9")
        assert await next_events(stream) == [gap]
        hub.add("messages", "10", b"10")
        assert (await next_events(stream))[0].data == [10]
        assert (await next_events(hub.subscribe(("messages",), "messages=8")))[0].data == [9, 10]

    run(scenario())


def test_a_slow_stream_is_cut_off_and_the_others_go_on() -> None:
    async def scenario() -> None:
        hub = loaded_hub(queued_frames=4)
        slow, quick = hub.subscribe(("calls",)), hub.subscribe(("calls",))
        for number in range(1, 10):
            hub.add("calls", f"{number}", b"%d" % number)
            assert (await next_events(quick))[-1].data == [number]

        await slow.cut
        assert slow.over
        assert await slow.take() == b""
        assert not quick.over

    run(scenario())


def test_closing_ends_every_stream_after_what_it_was_owed() -> None:
    async def scenario() -> None:
        hub = loaded_hub()
        stream = hub.subscribe(TOPICS)
        hub.close()

        assert (await next_events(stream)) == [Event("end", {"reason": "shutdown"})]
        assert stream.over
        assert await stream.take() == b""
        assert not hub.available

    run(scenario())


def test_streams_are_pinged() -> None:
    async def scenario() -> None:
        hub = loaded_hub(ping_seconds=0.01)
        stream = hub.subscribe(TOPICS)
        await stream.take()
        tending = asyncio.create_task(hub.tend())
        assert (await stream.take()).startswith(PING)
        tending.cancel()

    run(scenario())


def test_streams_outlive_a_lost_source_only_for_a_while() -> None:
    async def scenario() -> None:
        hub = loaded_hub(source_grace_seconds=0.02)
        stream = hub.subscribe(TOPICS)
        tending = asyncio.create_task(hub.tend())

        hub.source_lost()

        assert await next_events(stream) == [Event("end", {"reason": "shutdown"})]
        tending.cancel()

    run(scenario())


def test_a_hub_is_available_again_when_its_source_is() -> None:
    async def scenario() -> list[bool]:
        hub = loaded_hub()
        hub.source_lost()
        lost = hub.available
        hub.source_restored()
        return [lost, hub.available]

    assert run(scenario()) == [False, True]


def test_a_hub_is_available_only_when_every_topic_is_loaded() -> None:
    async def scenario() -> None:
        hub = Hub()
        hub.load("calls", "0")
        assert not hub.available
        hub.load("messages", "0")
        assert hub.available

    run(scenario())


def test_a_stream_that_left_is_forgotten() -> None:
    async def scenario() -> None:
        hub = loaded_hub()
        stream = hub.subscribe(TOPICS)
        assert hub.streams == 1
        hub.leave(stream)
        assert hub.streams == 0

    run(scenario())
