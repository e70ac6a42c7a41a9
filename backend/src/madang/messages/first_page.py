"""The board's first page, ready as JSON, in Redis for as long as nothing was written."""

from madang.cache import CacheRedis

PAGE_SECONDS = 2
GENERATION_KEY = "madang:board:generation"


class FirstPageCache:
    """Holds a page together with the generation of the board it shows.

    Each write raises the generation after its commit; a page is valid only while its generation,
    read before its SQL ran, is still the board's. Should Redis lose a raise, two seconds end it.
    """

    def __init__(self, redis: CacheRedis) -> None:
        self._redis = redis

    def get(self, limit: int) -> tuple[bytes | None, bytes | None]:
        """The board's generation, None when Redis does not answer, and the page if it is valid."""
        keys = (GENERATION_KEY, _key(limit))
        found = self._redis.ask(lambda redis: redis.mget(keys), None)
        if not isinstance(found, list):
            return None, None
        generation, stored = (value if isinstance(value, bytes) else b"" for value in found)
        generation = generation or b"0"
        of_generation, _, page = stored.partition(b"\n")
        return generation, page if page and of_generation == generation else None

    def put(self, limit: int, generation: bytes, page: bytes) -> None:
        """Keep a page whose SQL ran after the generation was read."""
        value = generation + b"\n" + page
        self._redis.ask(lambda redis: redis.set(_key(limit), value, ex=PAGE_SECONDS), None)

    def board_changed(self) -> None:
        """Make all pages invalid; called after the commit."""
        self._redis.ask(lambda redis: redis.incr(GENERATION_KEY), None)


def _key(limit: int) -> str:
    return f"madang:board:first:{limit}"
