"""A topic of its own with calls in it, and `madang record` over it."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

from madang.calls.event import CallEvent
from measure.cores import on_core
from measure.course import Course, Watch
from measure.history import History
from measure.samples import profiling
from measure.stand import Stand, servers
from measure.topic import TopicWriter, messages_in
from tests.services.process import Process
from tests.services.stack import Stack

_STOP_SECONDS = 15


class Recording:
    """Counts what it puts into its topic and what of that is recorded."""

    def __init__(self, stand: Stand) -> None:
        """Bring the schema up and make the topic; nothing runs yet."""
        self.topic = f"bench-{uuid4().hex[:8]}"
        self.directory = stand.directory / self.topic
        self.produced = 0
        self.of_users = 0
        self._stand = stand
        self.stack = Stack(self.directory, replace(stand.dependencies, topic=self.topic))
        self.directory.mkdir()
        self.stack.run("migrate")
        self.stack.run("topics")
        spool = self.directory / "spool"
        self.history = History(stand.mariadb, stand.database, stand.kafka, self.topic, spool)
        self._before = self.history.recorded()

    def produce(self, events: Iterable[CallEvent]) -> None:
        """Put calls into the topic, until the brokers have acknowledged all of them."""
        self.produced += TopicWriter(self._stand.kafka, self.topic).write(self._counted(events))

    def recorded(self) -> int:
        """How many messages of the topic are recorded."""
        return self.history.recorded() - self._before

    def in_topic(self) -> int:
        """How many messages the topic has been given."""
        return messages_in(self._stand.kafka, self.topic)

    @contextmanager
    def recorder(self, *, core: int | None = None, profile: Path | None = None) -> Iterator[Watch]:
        """`madang record` until the end of the block, on this core alone, or in a profiler."""
        process = self.stack.record
        if profile is not None:
            profiling(process, profile)
        if core is not None:
            process.argv = on_core(core, process.argv)
        process.start()
        try:
            yield Watch({"record": process, **servers(self._stand)}, self.recorded)
        finally:
            process.stop(_STOP_SECONDS)

    @contextmanager
    def more_recorders(self, number: int) -> Iterator[list[Process]]:
        """So many further ones that share the partitions, as quick as they can be."""
        processes = [
            Process(
                f"madang record {each}",
                self.stack.record.argv,
                log=self.directory / f"record-{each}.log",
                environment=self.stack.environment,
            )
            for each in range(number)
        ]
        try:
            for process in processes:
                process.start()
            yield processes
        finally:
            for process in processes:
                process.ask_to_stop()
            for process in processes:
                process.stop_within(_STOP_SECONDS)

    def _counted(self, events: Iterable[CallEvent]) -> Iterator[CallEvent]:
        for event in events:
            self.of_users += event.user_id is not None
            yield event


def all_recorded(recording: Recording, watch: Watch) -> Course:
    """Watch until everything that was produced is recorded."""
    return watch.until(lambda events: events >= recording.produced)
