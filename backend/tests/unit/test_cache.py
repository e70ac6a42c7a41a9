"""The circuit breaker around Redis."""

from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from madang.cache import PAUSE_SECONDS, CacheRedis


class Line:
    """Stands for Redis: counts what it was asked, and is down when told."""

    def __init__(self) -> None:
        self.is_down = False
        self.asked = 0
        self.now = 0.0
        self.cache = CacheRedis(Redis(), monotonic=lambda: self.now)

    def ask(self) -> str:
        """One question through the breaker."""
        return self.cache.ask(self._answer, "nothing")

    def _answer(self, _redis: Redis) -> str:
        self.asked += 1
        if self.is_down:
            raise RedisConnectionError("down")
        return "something"


def test_cache_redis_up_is_asked_each_time() -> None:
    line = Line()
    assert [line.ask(), line.ask()] == ["something", "something"]
    assert line.asked == 2


def test_cache_redis_down_is_left_alone_for_the_pause() -> None:
    line = Line()
    line.is_down = True
    assert [line.ask() for _ in range(10)] == ["nothing"] * 10
    assert line.asked == 1


def test_cache_redis_down_is_tried_once_a_pause() -> None:
    line = Line()
    line.is_down = True
    line.ask()
    for _ in range(3):
        line.now += PAUSE_SECONDS
        line.ask()
        line.ask()
    assert line.asked == 4


def test_cache_redis_back_is_asked_each_time_again() -> None:
    line = Line()
    line.is_down = True
    line.ask()
    line.is_down = False
    line.now += PAUSE_SECONDS
    assert [line.ask(), line.ask()] == ["something", "something"]


def test_cache_only_one_caller_tries_at_the_end_of_the_pause() -> None:
    line = Line()
    line.is_down = True
    line.ask()
    line.now += PAUSE_SECONDS
    others: list[str] = []

    def while_trying(_redis: Redis) -> str:
        others.append(line.ask())
        return "tried"

    assert line.cache.ask(while_trying, "nothing") == "tried"
    assert others == ["nothing"]
