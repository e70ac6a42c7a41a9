"""Somebody looks into the history of calls."""

import re
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from confluent_kafka import Producer
from playwright.sync_api import BrowserContext, expect

from madang.calls.event import new_call_id
from tests.e2e.calls import (
    HEAL_MS,
    HEAL_SECONDS,
    call,
    recorded,
    row,
    shown,
    watch,
    whole_row,
)
from tests.e2e.visit import only_embedded, only_services, scrolls_sideways, signed_in, violations
from tests.services.stack import Stack
from tests.services.waiting import wait_until

pytestmark = pytest.mark.e2e


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
    page, name = signed_in(visitor)
    ids = call(visitor, 110)
    wait_until(
        lambda: set(ids) <= set(recorded(visitor, name)), HEAL_SECONDS, "all calls in history"
    )
    before = recorded(visitor, name)
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
    assert [each for each in rows if each in before] == before
    assert not set(rows) & set(newer)

    page.get_by_role("button", name="새 호출 9건").click()
    expect(row(page, newer[-1])).to_be_in_viewport()
    assert shown(page) == recorded(visitor, name)[:50]
    expect(page.get_by_role("button", name="새 호출")).to_have_count(0)


@only_embedded
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
    wait_until(lambda: call_id in recorded(visitor, name), HEAL_SECONDS, "a call to copy")
    event = visitor.request.get(f"/api/logs/kafka/{call_id}").json()
    ahead = datetime.now(UTC) + timedelta(hours=1)
    event |= {"id": str(new_call_id(ahead)), "timestamp": ahead.isoformat()}
    event.pop("counted_at", None)
    producer = Producer({"bootstrap.servers": stack.environment["MADANG_KAFKA_BOOTSTRAP"]})
    producer.produce(stack.environment["MADANG_KAFKA_TOPIC"], msgspec.json.encode(event))
    assert producer.flush(10) == 0
    wait_until(lambda: event["id"] in recorded(visitor, name), HEAL_SECONDS, "the call in history")

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
