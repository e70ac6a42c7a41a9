"""Noticing that the topic was deleted and made again while the spool was delivered to it.

What a deletion destroys is sent again as far as the spool still has it. Of the rest only an upper
bound is known: up to which offset the topic that is gone held calls whose segments are gone too.
The shipper tells it with what it sends next, so that the recorder can count what it never got.
"""

import os
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

import msgspec
import structlog
from confluent_kafka import KafkaException
from confluent_kafka.admin._topic import TopicDescription

log = structlog.get_logger(__name__)

FILE = "topic"
FILE_BYTES = 4096
CHECK_SECONDS = 5.0


class Creation(msgspec.Struct, frozen=True):
    """One creation of the topic, and the end of what only it holds, by partition.

    Before these offsets it holds calls whose segments the spool has deleted.
    """

    topic_id: str
    ends: dict[int, int] = {}

    def including(self, ends: dict[int, int]) -> "Creation":
        """With further calls that only it holds."""
        return Creation(self.topic_id, later(self.ends, ends))


def later(one: dict[int, int], other: dict[int, int]) -> dict[int, int]:
    """The later offset of each partition."""
    return {
        partition: max(one.get(partition, 0), other.get(partition, 0))
        for partition in one.keys() | other.keys()
    }


class TopicWatch:
    """Which creation of the topic the spool is delivered to, kept in a file beside the segments.

    `former` is the one before while no broker has taken the news of it. Until then the file keeps
    its name, so that a shipper that is killed in between begins again with the same news.
    """

    def __init__(self, ask: Callable[[], Future[TopicDescription]], directory: Path) -> None:
        """Read the file; `ask` asks a broker what the topic is, and does not wait."""
        self.former: Creation | None = None
        self._ask = ask
        self._path = directory / FILE
        self._delivered_to = _read(self._path)
        self._present = self._delivered_to
        self._asked: Future[TopicDescription] | None = None
        self._asked_at = float("-inf")
        self._acknowledged: dict[int, int] = {}
        self._has_gone_back = False

    def made_again(self) -> bool:
        """Whether the topic is another than a moment ago; asks every five seconds, never waits."""
        found = self._answer()
        if found is None:
            return False
        self._has_gone_back = False
        if self._present is not None and found == self._present.topic_id:
            return False
        self._acknowledged.clear()
        before, self._present = self._present, Creation(found)
        if before is None:
            self._keep(self._present)
            return False
        self.former = self._delivered_to
        log.warning("topic_made_again", former_id=before.topic_id, ends=before.ends)
        return True

    def acknowledged(self, partition: int, offset: int) -> bool:
        """Whether this offset, of one sent before, can lie in the creation that is known.

        A partition's offsets only grow: one that is lower than the last belongs to a topic made
        again, and so do all after it until a broker has been asked.
        """
        if offset < self._acknowledged.get(partition, 0) and not self._has_gone_back:
            self._has_gone_back = True
            self._asked, self._asked_at = None, float("-inf")
        self._acknowledged[partition] = offset
        return not self._has_gone_back

    def segment_deleted(self, ends: dict[int, int]) -> None:
        """Note that calls before these offsets are in the topic and no longer in the spool."""
        if self._present is not None and ends:
            self._present = self._present.including(ends)
            if self.former is None:
                self._keep(self._present)

    def told(self, former: Creation | None) -> None:
        """Note that a broker has taken a message with this news; None if it carried none."""
        if former is not None and former == self.former and self._present is not None:
            self.former = None
            self._keep(self._present)

    def _answer(self) -> str | None:
        """The topic's identifier, when an answer has come."""
        now = time.monotonic()
        if self._asked is None:
            if now - self._asked_at > CHECK_SECONDS:
                self._asked_at = now
                self._asked = self._ask()
            return None
        if not self._asked.done():
            return None
        answer, self._asked = self._asked, None
        try:
            return str(answer.result().topic_id)
        except KafkaException:
            return None  # no broker, or no topic at present: what is sent meets the same, and logs

    def _keep(self, creation: Creation) -> None:
        """Overwrite the file in place, for which a full disk has room."""
        self._delivered_to = creation
        try:
            descriptor = os.open(self._path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600)
            try:
                os.pwrite(descriptor, msgspec.json.encode(creation).ljust(FILE_BYTES), 0)
            finally:
                os.close(descriptor)
        except OSError as error:
            log.warning("topic_not_noted", file=str(self._path), reason=error.strerror)


def _read(path: Path) -> Creation | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Creation)
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError as error:
        log.warning("topic_not_noted", file=str(path), reason=str(error))
        return None
