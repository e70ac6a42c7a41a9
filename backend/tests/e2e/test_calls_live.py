"""Somebody watches the calls arrive, and misses nothing when a part breaks."""

import re
from contextlib import suppress

import psutil
import pytest
from playwright.sync_api import BrowserContext, Page, Request, expect
from redis import Redis as Client

from madang.calls.recent import FIELD, STREAM
from tests.e2e.calls import (
    HEAL_MS,
    HEAL_SECONDS,
    call,
    recorded,
    row,
    shown,
    watch,
)
from tests.e2e.visit import only_embedded, only_services
from tests.services.errors import ServiceError
from tests.services.redis import Redis
from tests.services.stack import Embedded, Stack
from tests.services.waiting import wait_until

pytestmark = pytest.mark.e2e


def expect_all(page: Page, visitor: BrowserContext, name: str, ids: list[str]) -> None:
    """On the screen is what history has, in its order, nothing missing and nothing twice."""
    for call_id in ids:
        expect(row(page, call_id)).to_have_count(1, timeout=HEAL_MS)
    expect(page.get_by_text("놓친 호출을 다시 읽는 중입니다")).to_have_count(0, timeout=HEAL_MS)
    rows: list[str] = []
    there: list[str] = []

    # The page calls too while it recovers, so both may still grow.
    def is_whole() -> bool:
        nonlocal rows, there
        there = recorded(visitor, name)
        rows = shown(page)
        return set(ids) <= set(there) and rows == there

    with suppress(ServiceError):  # what differed last is said below
        wait_until(is_whole, HEAL_SECONDS, "the rows on the screen to be those of history")
    assert rows == there
    assert set(ids) <= set(there)


def test_calls_arrive_and_wait_while_paused(visitor: BrowserContext) -> None:
    page, _ = watch(visitor)
    (first,) = call(visitor)
    expect(row(page, first)).to_be_visible()

    page.get_by_role("button", name="멈추기").click()
    waiting = call(visitor, 3)
    expect(page.get_by_text("3건이 기다리고 있습니다")).to_be_visible()
    assert not set(waiting) & set(shown(page))

    page.get_by_role("button", name="이어 보기").click()
    assert shown(page)[:4] == [*reversed(waiting), first]


def test_live_filters_keep_what_they_ask_for(visitor: BrowserContext) -> None:
    page, _ = watch(visitor)
    (found,) = call(visitor)
    missing = visitor.request.get("/api/nowhere").headers["madang-call"]
    for call_id in (found, missing):
        expect(row(page, call_id)).to_be_visible()

    page.get_by_label("상태").select_option("4xx")
    expect(row(page, found)).to_have_count(0)
    expect(row(page, missing)).to_be_visible()
    page.get_by_label("상태").select_option("")
    page.get_by_label("엔드포인트").select_option("/api/session")
    expect(row(page, missing)).to_have_count(0)
    expect(row(page, found)).to_be_visible()
    page.get_by_label("서비스").fill("another")
    expect(page.locator("tbody tr")).to_have_count(0)
    expect(page).to_have_url(re.compile("service=another"))
    page.get_by_label("서비스").fill("madang-api")
    expect(row(page, found)).to_be_visible()


def test_reads_of_the_log_show_only_when_asked_for(visitor: BrowserContext) -> None:
    page, _ = watch(visitor)
    read = visitor.request.get("/api/logs/kafka").headers["madang-call"]
    (seen,) = call(visitor)
    expect(row(page, seen)).to_be_visible()
    expect(row(page, read)).to_have_count(0)
    page.get_by_label("로그·통계 조회도 보기").check()
    expect(row(page, read)).to_be_visible()


@only_services
@pytest.mark.parametrize("paused", [False, True], ids=["watching", "paused"])
def test_gap_after_redis_was_emptied_heals(
    visitor: BrowserContext, stack: Stack, redis_server: Redis, paused: bool
) -> None:
    page, name = watch(visitor)
    ids = call(visitor, 5)
    expect(row(page, ids[-1])).to_be_visible()
    if paused:
        page.get_by_role("button", name="멈추기").click()

    stack.live.kill()
    ids += call(visitor, 5)
    wait_until(lambda: is_in_store(redis_server, ids[-1]), HEAL_SECONDS, "the calls in Redis")
    redis_server.empty(0)
    stack.live.start()
    ids += call(visitor, 5)

    if paused:
        expect(page.get_by_text("10건이 기다리고 있습니다")).to_be_visible(timeout=HEAL_MS)
        page.get_by_role("button", name="이어 보기").click()
    expect_all(page, visitor, name, ids)


def is_in_store(server: Redis, call_id: str) -> bool:
    with Client.from_url(server.url(0)) as client:
        entries = client.xrevrange(STREAM, count=50)
    return any(call_id.encode() in fields.get(FIELD, b"") for _, fields in entries)


@only_services
def test_history_stands_in_while_redis_is_away(
    visitor: BrowserContext, redis_server: Redis
) -> None:
    page, name = watch(visitor)
    ids = call(visitor, 3)
    expect(row(page, ids[-1])).to_be_visible()
    redis_server.stop()
    try:
        ids += call(visitor, 3)
        expect(row(page, ids[-1])).to_be_visible(timeout=HEAL_MS)
    finally:
        redis_server.start()
    ids += call(visitor, 3)
    expect_all(page, visitor, name, ids)


@only_embedded
def test_gap_after_a_restart_heals(visitor: BrowserContext, embedded: Embedded) -> None:
    page, name = watch(visitor)
    ids = call(visitor, 5)
    expect(row(page, ids[-1])).to_be_visible()
    embedded.process.kill()
    embedded.process.start()
    ids += call(visitor, 5)
    expect_all(page, visitor, name, ids)


def test_tabs_share_one_stream_and_hand_it_over_without_loss(visitor: BrowserContext) -> None:
    streams: list[Request] = []

    def note(request: Request) -> None:
        if request.resource_type == "eventsource":
            streams.append(request)

    visitor.on("request", note)
    leader, name = watch(visitor)
    follower = visitor.new_page()
    follower.goto(f"/calls/live?user={name}")
    ids = call(visitor)
    for page in (leader, follower):
        expect(row(page, ids[0])).to_be_visible()
    opened = len(streams)

    for number in range(10):
        if number == 5:
            leader.close(run_before_unload=False)
        ids += call(visitor)

    expect_all(follower, visitor, name, ids)
    assert len(streams) == opened + 1
    assert all("/api/live" in request.url for request in streams)


@only_services
def test_tabs_are_one_stream_at_the_server(visitor: BrowserContext, stack: Stack) -> None:
    def streams() -> int:
        sockets = psutil.Process(stack.live.pid).net_connections("tcp")
        return sum(
            socket.status == psutil.CONN_ESTABLISHED and socket.laddr.port == stack.live_port
            for socket in sockets
        )

    wait_until(lambda: streams() == 0, HEAL_SECONDS, "earlier streams to end")
    leader, name = watch(visitor)
    for _ in range(2):
        follower = visitor.new_page()
        follower.goto(f"/calls/live?user={name}")
        expect(follower.locator("[data-state=connected]")).to_be_visible()
    assert streams() == 1
    leader.close()
    (call_id,) = call(visitor)
    expect(row(follower, call_id)).to_be_visible()
    wait_until(lambda: streams() == 1, HEAL_SECONDS, "one stream again")
