"""The bus between processes: Redis streams."""

from madang.live.frames import Topic
from madang.live.hub import Hub
from madang.live.redis_publisher import RedisPublisher
from madang.live.redis_reader import RedisReader


class RedisBus:
    """An EventBus on Redis streams; each side connects when it is first used."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._publisher = RedisPublisher(url)

    def publish(self, topic: Topic, payload: bytes) -> None:
        """Append one event to the topic's stream."""
        self._publisher.publish(topic, payload)

    async def run(self, hub: Hub) -> None:
        """Feed `hub` until cancelled."""
        await RedisReader(self._url).run(hub)

    def close(self) -> None:
        """Stop publishing."""
        self._publisher.close()
