"""The cached first page."""

from redis import Redis

from madang.cache import CacheRedis
from madang.messages.first_page import FirstPageCache


class DictRedis(Redis):
    """The three commands that the cache uses, over a dict."""

    def __init__(self) -> None:
        super().__init__()
        self.values: dict[str, bytes] = {}

    def mget(self, keys: tuple[str, ...]) -> list[bytes | None]:  # type: ignore[override]  # one form
        """MGET."""
        return [self.values.get(key) for key in keys]

    def set(self, name: str, value: bytes, **_: object) -> bool:  # type: ignore[override]  # bytes only
        """SET."""
        self.values[name] = value
        return True

    def incr(self, name: str) -> int:  # type: ignore[override]  # by one
        """INCR."""
        number = int(self.values.get(name, b"0")) + 1
        self.values[name] = str(number).encode()
        return number


def _put(cache: FirstPageCache, limit: int, page: bytes) -> None:
    generation, _ = cache.get(limit)
    assert generation is not None
    cache.put(limit, generation, page)


def test_first_page_is_given_back_until_the_board_changes() -> None:
    cache = FirstPageCache(CacheRedis(DictRedis()))
    _put(cache, 10, b'{"items":\n[]}')
    assert cache.get(10)[1] == b'{"items":\n[]}'
    assert cache.get(20)[1] is None
    cache.board_changed()
    assert cache.get(10)[1] is None


def test_first_page_read_before_a_write_is_never_valid() -> None:
    cache = FirstPageCache(CacheRedis(DictRedis()))
    generation, _ = cache.get(10)
    cache.board_changed()
    assert generation is not None
    cache.put(10, generation, b"old")
    assert cache.get(10)[1] is None


def test_first_page_without_redis_is_a_miss() -> None:
    cache = FirstPageCache(CacheRedis(Redis(port=1)))
    assert cache.get(10) == (None, None)
    cache.board_changed()
    cache.put(10, b"1", b"page")


def test_first_page_garbage_is_a_miss() -> None:
    redis = DictRedis()
    cache = FirstPageCache(CacheRedis(redis))
    for garbage in (b"", b"\n", b"garbage", b"7\npage"):
        redis.values["madang:board:first:10"] = garbage
        assert cache.get(10) == (b"0", None)
