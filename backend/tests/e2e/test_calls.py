"""Somebody watches the calls arrive, looks into history, and misses nothing when a part breaks."""

import re
from datetime import UTC, datetime, timedelta

import msgspec
import psutil
import pytest
from confluent_kafka import Producer
from playwright.sync_api import BrowserContext, Locator, Page, Request, expect
from redis import Redis as Client

from madang.calls.event import new_call_id
from madang.calls.recent import FIELD, STREAM
from tests.e2e.visit import register, scrolls_sideways, violations
from tests.services.redis import Redis
from tests.services.stack import Embedded, Stack
from tests.services.waiting import wait_until

pytestmark = pytest.mark.e2e

HEAL_MS = 40_000
"""A stream that was lost is tried again at growing intervals, and history follows behind."""

only_embedded = pytest.mark.parametrize("board_url", ["embedded"], indirect=True)
only_services = pytest.mark.parametrize("board_url", ["services"], indirect=True)


def call(visitor: BrowserContext, times: int = 1) -> list[str]:
    """Call the API as this visitor; the calls' ids, oldest first."""
    answers = [visitor.request.get("/api/session") for _ in range(times)]
    return [answer.headers["madang-call"] for answer in answers]


def row(page: Page, call_id: str) -> Locator:
    return page.locator(f'tbody a[href*="call={call_id}"]')


def whole_row(page: Page, call_id: str) -> Locator:
    return page.locator(f'tbody tr:has(a[href*="call={call_id}"])')


def shown(page: Page) -> list[str]:
    """The ids of the rows, from the top."""
    links = page.locator("tbody a").evaluate_all("all => all.map((link) => link.href)")
    return [re.sub(r".*[?&]call=([0-9a-f-]+).*", r"\1", link) for link in links]


def recorded(visitor: BrowserContext, name: str) -> list[str]:
    """The ids of this visitor's calls as history has them, newest first, past every page."""
    params: dict[str, str | float | bool] = {"user": name, "log_reads": "false", "limit": "200"}
    found: list[str] = []
    while True:
        page = visitor.request.get("/api/logs/kafka", params=params).json()
        found += [item["id"] for item in page["items"]]
        if page["next_cursor"] is None:
            return found
        params["cursor"] = page["next_cursor"]


def watch(visitor: BrowserContext, view: str = "live") -> tuple[Page, str]:
    """A new visitor's own calls; at least one is there."""
    page, name = register(visitor)
    page.goto(f"/calls/{view}?user={name}")
    expect(page.locator("tbody tr").first).to_be_visible()
    expect(page.locator("[data-state=connected]")).to_be_visible()
    return page, name


def expect_all(page: Page, visitor: BrowserContext, name: str, ids: list[str]) -> None:
    """On the screen is what history has, in its order, nothing missing and nothing twice."""
    for call_id in ids:
        expect(row(page, call_id)).to_have_count(1, timeout=HEAL_MS)
    expect(page.get_by_text("놓친 호출을 다시 읽는 중입니다")).to_have_count(0, timeout=HEAL_MS)
    # The page calls too while it recovers, so both may still grow.
    wait_until(
        lambda: set(ids) <= set(there := recorded(visitor, name)) and shown(page) == there,
        10,
        "the rows on the screen to be those of history",
    )


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
    wait_until(lambda: is_in_store(redis_server, ids[-1]), 10, "the calls in Redis")
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

    wait_until(lambda: streams() == 0, 10, "earlier streams to end")
    leader, name = watch(visitor)
    for _ in range(2):
        follower = visitor.new_page()
        follower.goto(f"/calls/live?user={name}")
        expect(follower.locator("[data-state=connected]")).to_be_visible()
    assert streams() == 1
    leader.close()
    (call_id,) = call(visitor)
    expect(row(follower, call_id)).to_be_visible()
    wait_until(lambda: streams() == 1, 10, "one stream again")


def test_history_filters_survive_a_reload_and_the_way_back(visitor: BrowserContext) -> None:
    page, name = watch(visitor, "history")
    page.get_by_label("메서드").select_option("POST")
    expect(page.locator("tbody tr")).to_have_count(1)
    page.get_by_label("상태").select_option("201")
    page.get_by_label("기간").select_option("15m")
    expect(page).to_have_url(re.compile(rf"user={name}&method=POST&status=201&period=15m"))

    page.reload()
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.get_by_label("상태")).to_have_value("201")
    expect(page.get_by_label("기간")).to_have_value("15m")
    page.go_back()
    expect(page.get_by_label("기간")).to_have_value("")
    page.go_back()
    expect(page.get_by_label("상태")).to_have_value("")
    expect(page.get_by_label("메서드")).to_have_value("POST")


def test_history_keeps_to_chosen_moments(visitor: BrowserContext) -> None:
    page, _ = watch(visitor, "history")
    page.get_by_label("기간").select_option("15m")
    page.get_by_label("기간").select_option("chosen")
    expect(page.locator("tbody tr").first).to_be_visible()
    page.get_by_label("끝", exact=True).fill("2020-01-01T00:00:00")
    expect(page).to_have_url(re.compile("to=20"))
    expect(page.get_by_text("끝이 시작보다 앞섭니다.")).to_be_visible()
    expect(page.locator("tbody tr")).to_have_count(0)
    page.get_by_label("시작", exact=True).fill("2019-12-01T00:00:00")
    expect(page.get_by_text("끝이 시작보다 앞섭니다.")).to_have_count(0)
    page.get_by_role("button", name="조건 지우기").click()
    expect(page.locator("tbody tr").first).to_be_visible()


def test_paging_stays_put_while_calls_arrive(visitor: BrowserContext) -> None:
    page, name = register(visitor)
    ids = call(visitor, 110)
    wait_until(lambda: ids[-1] in recorded(visitor, name), 10, "history to have all calls")
    page.goto(f"/calls/history?user={name}")
    expect(page.get_by_text("50건 불러옴")).to_be_visible()
    first = shown(page)

    newer = call(visitor, 7)
    expect(page.get_by_role("button", name="새 호출 7건")).to_be_visible()
    page.locator("tbody tr").last.scroll_into_view_if_needed()
    expect(page.get_by_text("100건 불러옴")).to_be_visible()
    newer += call(visitor, 2)
    expect(page.get_by_role("button", name="새 호출 9건")).to_be_visible()
    page.locator("tbody tr").last.scroll_into_view_if_needed()
    expect(page.get_by_text("여기가 처음입니다")).to_be_visible()

    rows = shown(page)
    assert rows[:50] == first
    assert rows == [each for each in recorded(visitor, name) if each not in newer]

    page.get_by_role("button", name="새 호출 9건").click()
    expect(row(page, newer[-1])).to_be_in_viewport()
    assert shown(page) == recorded(visitor, name)[:50]
    expect(page.get_by_role("button", name="새 호출")).to_have_count(0)


@pytest.mark.parametrize("view", ["live", "history"])
def test_row_opens_by_keyboard_and_gives_the_focus_back(visitor: BrowserContext, view: str) -> None:
    page, _ = watch(visitor, view)
    ids = call(visitor, 3)
    if view == "history":
        page.get_by_role("button", name=re.compile("새 호출")).click()
    expect(row(page, ids[0])).to_be_visible()
    row(page, ids[2]).focus()
    page.keyboard.press("ArrowDown")
    expect(row(page, ids[1])).to_be_focused()
    page.keyboard.press("Enter")
    drawer = page.get_by_role("dialog")
    expect(drawer).to_contain_text(ids[1])
    expect(page).to_have_url(re.compile(f"call={ids[1]}"))
    call(visitor, 3)

    page.keyboard.press("Escape")
    expect(drawer).to_have_count(0)
    expect(row(page, ids[1])).to_be_focused()
    expect(page).not_to_have_url(re.compile("call="))
    page.go_forward()
    expect(drawer).to_contain_text(ids[1])


@only_embedded
def test_history_says_that_it_is_offline_and_recovers(visitor: BrowserContext) -> None:
    page, _ = watch(visitor, "history")
    visitor.set_offline(True)
    page.get_by_role("button", name="새로 고침").click()
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.locator("tbody tr").first).to_be_visible()
    visitor.set_offline(False)
    expect(page.get_by_role("alert")).to_have_count(0, timeout=HEAL_MS)


@only_services
def test_future_dated_call_is_marked(visitor: BrowserContext, stack: Stack) -> None:
    page, name = watch(visitor)
    (call_id,) = call(visitor)
    wait_until(lambda: call_id in recorded(visitor, name), 10, "a call to copy")
    event = visitor.request.get(f"/api/logs/kafka/{call_id}").json()
    ahead = datetime.now(UTC) + timedelta(hours=1)
    event |= {"id": str(new_call_id(ahead)), "timestamp": ahead.isoformat()}
    event.pop("counted_at", None)
    producer = Producer({"bootstrap.servers": stack.environment["MADANG_KAFKA_BOOTSTRAP"]})
    producer.produce(stack.environment["MADANG_KAFKA_TOPIC"], msgspec.json.encode(event))
    assert producer.flush(10) == 0
    wait_until(lambda: event["id"] in recorded(visitor, name), 10, "the call in history")

    page.goto(f"/calls/history?user={name}")
    expect(whole_row(page, event["id"])).to_contain_text("미래 시각")
    expect(whole_row(page, call_id)).to_be_visible()
    expect(whole_row(page, call_id)).not_to_contain_text("미래 시각")


@only_embedded
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_open_call_and_time_range_have_no_accessibility_violation(
    visitor: BrowserContext, scheme: str
) -> None:
    page, _ = watch(visitor, "history")
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]  # one of its words
    page.get_by_label("기간").select_option("chosen")
    (call_id,) = call(visitor)
    expect(page.get_by_role("button", name=re.compile("새 호출"))).to_be_visible()
    assert violations(page) == []
    page.get_by_role("button", name=re.compile("새 호출")).click()
    row(page, call_id).press("Enter")
    expect(page.get_by_role("dialog")).to_contain_text(call_id)
    assert violations(page) == []


@only_embedded
def test_nothing_scrolls_sideways_on_the_smallest_screen(visitor: BrowserContext) -> None:
    page, _ = watch(visitor, "history")
    page.set_viewport_size({"width": 320, "height": 700})
    page.get_by_role("button", name=re.compile("호출 거르기")).click()
    page.get_by_label("기간").select_option("chosen")
    expect(page.get_by_label("시작", exact=True)).to_be_visible()
    assert not scrolls_sideways(page)
    page.locator("tbody a").first.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    assert not scrolls_sideways(page)
