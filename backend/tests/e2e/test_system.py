"""An administrator watches the system, and sees within ten seconds what breaks."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.e2e.visit import violations
from tests.services.kafka import Kafka, kafka
from tests.services.mariadb import MariaDB
from tests.services.redis import redis
from tests.services.stack import Dependencies, Stack

pytestmark = pytest.mark.e2e

TRUTH_MS = 10_000
RECOVERY_MS = 60_000
PASSWORD = "correct horse battery"
ADMIN = "only-an-example-admin"


@dataclass(frozen=True)
class World:
    """A system that a test may break."""

    stack: Stack
    kafka: Kafka


@pytest.fixture(scope="module")
def world(services_directory: Path, mariadb_server: MariaDB) -> Iterator[World]:
    directory = services_directory / f"watched-{uuid4().hex[:8]}"
    with ExitStack() as ends:
        url = ends.enter_context(mariadb_server.database(f"test_{uuid4().hex[:12]}"))
        cache = ends.enter_context(redis(directory / "redis"))
        brokers = ends.enter_context(kafka(directory / "kafka"))
        stack = Stack(directory / "stack", Dependencies(url, cache.url(), brokers.bootstrap))
        ends.enter_context(stack.running(orderly=False))
        stack.run("user", "add", ADMIN, "--role", "admin", "--password", PASSWORD)
        yield World(stack, brokers)


@pytest.fixture(scope="module")
def board_url(world: World) -> str:
    return world.stack.url


def sign_in(visitor: BrowserContext) -> Page:
    """Sign in as the administrator; the page then shows the board."""
    page = visitor.new_page()
    page.goto("/sign-in")
    page.get_by_label("사용자 이름").fill(ADMIN)
    page.get_by_label("비밀번호", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="로그인").click()
    expect(page.get_by_label("새 글", exact=True)).to_be_visible()
    return page


@pytest.fixture
def page(visitor: BrowserContext) -> Page:
    """The page of the system, as the administrator sees it when all is well."""
    page = sign_in(visitor)
    page.get_by_role("link", name="관리").click()
    expect(page.get_by_text("모두 정상입니다.")).to_be_visible(timeout=RECOVERY_MS)
    return page


def test_administrator_sees_processes_figures_dependencies_and_versions(page: Page) -> None:
    for name in ("api", "live", "record", "ship"):
        expect(page.locator(f"[data-process=madang-{name}]")).to_contain_text("정상")
    for name in ("database", "redis", "kafka", "spool"):
        expect(page.locator(f"[data-dependency={name}]")).to_contain_text("정상")
    lag = page.locator("[data-figure=lag_messages]").first
    expect(lag).to_contain_text("Kafka 지연")
    expect(lag).to_contain_text("아직 기록되지 않은 메시지 수")
    expect(page.locator("[data-figure=last_recorded]")).to_contain_text("전")
    expect(page.get_by_role("main")).to_contain_text("MariaDB")


def test_shipper_that_is_killed_shows_as_silent_within_ten_seconds(
    page: Page, world: World
) -> None:
    world.stack.ship.kill()
    try:
        expect(page.get_by_role("status").filter(has_text="madang-ship")).to_contain_text(
            "소식이 없습니다", timeout=TRUTH_MS
        )
        expect(page.locator("[data-process=madang-ship]")).to_contain_text("소식 없음")
    finally:
        world.stack.ship.start()
    expect(page.get_by_text("모두 정상입니다.")).to_be_visible(timeout=RECOVERY_MS)


def test_broker_that_is_down_shows_within_ten_seconds_and_what_waits_with_it(
    page: Page, world: World
) -> None:
    world.kafka.kill()
    try:
        expect(page.locator("[data-dependency=kafka]")).to_contain_text(
            "응답 없음", timeout=TRUTH_MS
        )
        waiting = page.locator("dl [data-figure=unsent_bytes]").first
        expect(waiting).to_contain_text("전달 대기")
        expect(waiting.locator("dd").first).not_to_have_text("0B")
        expect(page.get_by_role("status").filter(has_text="가장 오래된 호출")).to_contain_text(
            "전달을 기다립니다", timeout=2 * TRUTH_MS
        )
    finally:
        world.kafka.start()
    expect(page.get_by_text("모두 정상입니다.")).to_be_visible(timeout=RECOVERY_MS)


def test_member_is_told_that_the_page_is_for_administrators(visitor: BrowserContext) -> None:
    page = visitor.new_page()
    page.goto("/register")
    page.get_by_label("사용자 이름").fill(f"member-{uuid4().hex[:6]}")
    page.get_by_label("비밀번호", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="가입하고 시작하기").click()
    expect(page.get_by_label("새 글", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="관리")).to_have_count(0)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto("/admin/system")
    expect(page.get_by_text("관리자만 볼 수 있습니다")).to_be_visible()
    assert not [url for url in asked if "/api/admin" in url]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_of_the_system_has_no_accessibility_violation(page: Page, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]  # one of its words
    expect(page.locator("[data-process=madang-ship]")).to_be_visible()
    assert violations(page) == []


def test_page_of_the_system_fits_every_width(page: Page) -> None:
    for width in (320, 768, 2560):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), width


def test_page_of_the_system_is_reached_by_keyboard(visitor: BrowserContext) -> None:
    page = sign_in(visitor)
    link = page.get_by_role("link", name="관리")
    page.get_by_role("link", name="본문으로 건너뛰기").focus()
    for _ in range(20):
        page.keyboard.press("Tab")
        if link.evaluate("link => link === document.activeElement"):
            break
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="시스템", exact=True)).to_be_visible()


def test_trouble_has_no_accessibility_violation_either(page: Page, world: World) -> None:
    world.stack.record.stop()
    try:
        expect(page.get_by_role("status").filter(has_text="madang-record")).to_be_visible(
            timeout=TRUTH_MS
        )
        assert violations(page) == []
    finally:
        world.stack.record.start()
