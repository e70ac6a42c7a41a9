"""A person comes for the first time: registers, posts, finds the message and its call."""

import re
from uuid import uuid4

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.e2e.visit import (
    PASSWORD,
    only_embedded,
    register,
    scrolls_sideways,
    signed_in,
    violations,
)

pytestmark = pytest.mark.e2e


def post(page: Page, text: str) -> None:
    page.get_by_label("새 글", exact=True).fill(text)
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("article").filter(has_text=text)).to_be_visible()


def test_posted_message_leads_to_the_call_that_made_it(visitor: BrowserContext) -> None:
    page, name = register(visitor)
    text = f"마당에 처음 남기는 글 {uuid4().hex[:6]}"
    post(page, text)
    page.get_by_role("article").filter(has_text=text).get_by_role(
        "link", name="이 글을 만든 호출 보기"
    ).click()
    drawer = page.get_by_role("dialog")
    expect(drawer).to_contain_text("POST")
    expect(drawer).to_contain_text("/api/messages")
    expect(drawer).to_contain_text("201")
    expect(drawer).to_contain_text(name)


def test_message_of_another_person_arrives_by_itself(
    visitor: BrowserContext, board_url: str
) -> None:
    reader, _ = register(visitor)
    reader.evaluate("window.notReloaded = true")
    text = f"저절로 나타나는 글 {uuid4().hex[:6]}"
    writer = visitor.browser.new_context(base_url=board_url, locale="ko-KR")  # type: ignore[union-attr]  # of a launched browser
    try:
        page, _ = register(writer)
        post(page, text)
        expect(reader.get_by_role("article").filter(has_text=text)).to_be_visible()
    finally:
        writer.close()
    assert reader.evaluate("window.notReloaded")


def test_search_finds_part_of_a_korean_word_and_marks_it(visitor: BrowserContext) -> None:
    page, _ = register(visitor)
    text = f"쿠버네티스를 배우는 사람들 {uuid4().hex[:6]}"
    post(page, text)
    page.keyboard.press("Escape")
    page.get_by_role("searchbox").fill("버네티")
    page.keyboard.press("Enter")
    expect(page.locator("mark").first).to_have_text("버네티")
    expect(page).to_have_url(re.compile("q="))
    page.go_back()
    expect(page).not_to_have_url(re.compile("q="))


def test_calls_appear_live_and_in_history(visitor: BrowserContext) -> None:
    page, name = signed_in(visitor)
    page.goto(f"/calls/live?user={name}")
    expect(page.get_by_role("row").filter(has_text="/api/users")).to_be_visible()
    page.goto(f"/calls/history?user={name}&method=POST")
    expect(page.get_by_role("row").filter(has_text="/api/users")).to_be_visible()


@only_embedded
def test_log_out_leads_to_the_sign_in_page_and_back(visitor: BrowserContext) -> None:
    page, name = register(visitor)
    page.get_by_role("button", name=f"{name} 계정 메뉴").click()
    page.get_by_role("button", name="로그아웃").click()
    page.get_by_label("사용자 이름").fill(name)
    page.get_by_label("비밀번호", exact=True).fill("wrong horse battery")
    page.get_by_role("button", name="로그인").click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_label("비밀번호", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="로그인").click()
    expect(page.get_by_label("새 글", exact=True)).to_be_visible()


@only_embedded
def test_english_is_one_click_away_and_remembered(visitor: BrowserContext) -> None:
    page, _ = register(visitor)
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("link", name="Board")).to_be_visible()
    page.reload()
    expect(page.get_by_role("link", name="Board")).to_be_visible()
    assert page.locator("html").get_attribute("lang") == "en"


@only_embedded
@pytest.mark.parametrize(
    "path",
    ["/sign-in", "/register", "/", "/calls/live", "/calls/history", "/account", "/admin/system"],
)
def test_page_has_no_accessibility_violation(visitor: BrowserContext, path: str) -> None:
    page, _ = signed_in(visitor)
    if path in {"/sign-in", "/register"}:
        visitor.clear_cookies()
    elif path == "/":
        page.goto(path)
        post(page, "읽기 쉬운 글")
    page.emulate_media(reduced_motion="reduce")
    page.goto(path)
    expect(page.get_by_role("main")).to_be_visible()
    expect(page.locator("[aria-busy=true]")).to_have_count(0)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        expect(page.locator("html")).to_contain_class(scheme)
        assert violations(page) == [], scheme


@only_embedded
def test_no_page_scrolls_sideways(visitor: BrowserContext) -> None:
    page, _ = signed_in(visitor)
    for path in ("/", "/calls/live", "/calls/history", "/account", "/admin/system"):
        page.goto(path)
        expect(page.get_by_role("main")).to_be_visible()
        for width in (320, 768, 2560):
            page.set_viewport_size({"width": width, "height": 800})
            assert not scrolls_sideways(page), (path, width)


def test_api_page_shows_the_operations_from_our_own_files(visitor: BrowserContext) -> None:
    page = visitor.new_page()
    page.goto("/api/docs")
    expect(page.get_by_text("/api/messages").first).to_be_visible()
