"""Which sessions may keep their streams."""

import asyncio
import threading
import time
from collections.abc import Collection

import pytest
from flask import Request

from madang.errors import UnavailableError
from madang.http.guard import Identity
from madang.live.frames import TOPICS
from madang.live.hub import Hub, Subscription
from madang.live.sessions import SessionWatch
from tests.unit.live.builders import Event, Sessions, loaded_hub, next_events, run


def request_of(session: str) -> Request:
    return Request({"REQUEST_METHOD": "GET", "HTTP_COOKIE": f"session={session}"})


async def open_stream(watch: SessionWatch, hub: Hub, session: str) -> Subscription:
    request = request_of(session)
    identity = await watch.identify(request)
    assert identity is not None
    subscription = hub.subscribe(TOPICS)
    watch.watch(identity, subscription)
    return subscription


def test_all_sessions_are_checked_at_once_however_many_streams_they_have() -> None:
    async def scenario() -> None:
        sessions, hub = Sessions({"one", "two"}), loaded_hub()
        watch = SessionWatch(sessions, sessions.valid_ones)
        for name in ("one", "one", "two", "one"):
            await open_stream(watch, hub, name)

        await watch.check()

        assert sessions.checks == [[b"one", b"two"]]

    run(scenario())


def test_the_streams_of_an_ended_session_end_and_the_others_do_not() -> None:
    async def scenario() -> None:
        sessions, hub = Sessions({"one", "two"}), loaded_hub()
        watch = SessionWatch(sessions, sessions.valid_ones, recheck_seconds=0.01)
        ending = [await open_stream(watch, hub, "one") for _ in range(2)]
        staying = await open_stream(watch, hub, "two")
        running = asyncio.create_task(watch.run())

        sessions.valid.discard("one")

        for stream in ending:
            assert await next_events(stream) == [Event("end", {"reason": "session_ended"})]
        assert not staying.over
        running.cancel()

    run(scenario())


def test_streams_outlive_a_database_that_is_down_only_for_a_while() -> None:
    async def scenario() -> None:
        sessions, hub = Sessions(), loaded_hub()
        patient = SessionWatch(sessions, sessions.valid_ones)
        impatient = SessionWatch(sessions, sessions.valid_ones, patience_seconds=0)
        staying = await open_stream(patient, hub, "one")
        ending = await open_stream(impatient, hub, "one")
        sessions.down = True

        await patient.check()
        await impatient.check()

        assert not staying.over
        assert await next_events(ending) == [Event("end", {"reason": "shutdown"})]
        sessions.down = False
        sessions.valid.clear()
        await patient.check()
        assert await next_events(staying) == [Event("end", {"reason": "session_ended"})]

    run(scenario())


def test_a_check_that_hangs_is_left_behind() -> None:
    async def scenario() -> None:
        answer = threading.Event()
        hanging = False

        def authenticate(request: Request) -> Identity | None:
            if hanging:
                answer.wait()
            return Sessions()(request)

        def valid_ones(digests: Collection[bytes]) -> set[bytes]:
            answer.wait()
            return set()

        watch = SessionWatch(authenticate, valid_ones, check_seconds=0.02)
        stream = await open_stream(watch, loaded_hub(), "one")
        hanging = True

        await watch.check()
        with pytest.raises(UnavailableError):
            await watch.identify(request_of("one"))

        assert not stream.over
        answer.set()

    run(scenario())


def test_a_session_without_streams_is_not_checked() -> None:
    async def scenario() -> None:
        sessions = Sessions()
        watch = SessionWatch(sessions, sessions.valid_ones)
        request = request_of("one")
        identity = await watch.identify(request)
        assert identity is not None
        subscription = loaded_hub().subscribe(TOPICS)
        watch.watch(identity, subscription)
        watch.forget(identity, subscription)
        watch.forget(identity, subscription)

        await watch.check()

        assert sessions.checks == [[]]

    run(scenario())


@pytest.mark.parametrize("turns", range(5))
def test_watch_that_is_cancelled_as_the_answer_comes_ends(turns: int) -> None:
    async def scenario() -> None:
        loop, sessions = asyncio.get_running_loop(), Sessions({"one"})

        def cancel_after(more: int) -> None:
            if more:
                loop.call_soon(cancel_after, more - 1)
            else:
                running.cancel()

        def answer(digests: Collection[bytes]) -> set[bytes]:
            valid = sessions.valid_ones(digests)
            # The loop sleeps while both come, so it meets them in one turn.
            if len(sessions.checks) == 1:
                loop.call_soon_threadsafe(time.sleep, 0.01)
                loop.call_soon_threadsafe(cancel_after, turns)
            return valid

        watch = SessionWatch(sessions, answer, recheck_seconds=0.05)
        await open_stream(watch, loaded_hub(), "one")
        running = asyncio.create_task(watch.run())
        await asyncio.wait([running])
        assert len(sessions.checks) == 1

    run(scenario())
