"""A private Kafka of one or three KRaft nodes, or topics on one that runs already."""

import signal
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from uuid import uuid4

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from tests.services import kafka_distribution as distribution
from tests.services.ports import answers, free_port
from tests.services.process import Account, Process, own_directory
from tests.services.waiting import wait_until

_READY_SECONDS = 60
_ANSWER_SECONDS = 30

_NODE = """\
process.roles=broker,controller
node.id={node}
controller.quorum.voters={voters}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
log.dirs={directory}/data
auto.create.topics.enable=false
num.partitions=1
default.replication.factor={replicas}
min.insync.replicas={in_sync}
offsets.topic.num.partitions=1
offsets.topic.replication.factor={replicas}
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor={replicas}
transaction.state.log.min.isr={in_sync}
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor={replicas}
share.coordinator.state.topic.min.isr={in_sync}
group.initial.rebalance.delay.ms=0
"""

# With the defaults a killed broker counts as alive for 9 s and comes back as slowly, and what waits
# for a controller that hangs waits for 30 s.
_QUICK_FAILOVER = """\
broker.session.timeout.ms=1500
broker.heartbeat.interval.ms=300
controller.quorum.election.timeout.ms=500
controller.quorum.fetch.timeout.ms=1000
controller.quorum.election.backoff.max.ms=300
controller.socket.timeout.ms=2000
"""

# Half the memory of a broker that is made for load.
_SMALL = """\
num.network.threads=1
num.io.threads=2
background.threads=1
num.recovery.threads.per.data.dir=1
log.cleaner.dedupe.buffer.size=2097152
log.cleaner.io.buffer.size=65536
group.coordinator.threads=1
share.coordinator.threads=1
"""


@dataclass(frozen=True, slots=True)
class KafkaNode:
    """One broker of ours, which is a controller too."""

    number: int
    port: int
    process: Process

    @property
    def address(self) -> str:
        """`host:port` for clients."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it again, on the same ports and data; ready when it takes connections."""
        self.process.start()

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()


class Kafka:
    """A cluster; `nodes` is empty when it is not ours."""

    def __init__(self, bootstrap: str, nodes: Sequence[KafkaNode] = ()) -> None:
        self.bootstrap = bootstrap
        self.nodes = tuple(nodes)

    @cached_property
    def admin(self) -> AdminClient:
        """An administrating client."""
        options: dict[str, str | int | float | bool] = {
            "bootstrap.servers": self.bootstrap,
            "reconnect.backoff.max.ms": 200,
            "log_level": 0,
        }
        return AdminClient(options)

    def create_topic(self, name: str, partitions: int = 1) -> None:
        """Make a topic with the cluster's own replication; ready for producers at the end."""
        future = self.admin.create_topics([NewTopic(name, partitions)])[name]
        future.result(_ANSWER_SECONDS)
        wait_until(lambda: self._has_leaders(name), _ANSWER_SECONDS, f"leaders of topic {name}")

    @contextmanager
    def topic(self) -> Iterator[str]:
        """A new name for a topic, not made yet, which is gone after the block."""
        name = f"test-{uuid4().hex[:12]}"
        try:
            yield name
        finally:
            self.delete_topic(name)

    def delete_topic(self, name: str) -> None:
        """Delete a topic; one that does not exist is no error."""
        try:
            self.admin.delete_topics([name])[name].result(_ANSWER_SECONDS)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise
        wait_until(lambda: not self._exists(name), _ANSWER_SECONDS, f"the end of topic {name}")

    def start(self) -> None:
        """Start all nodes that are down, together, and wait until the cluster is whole."""
        down = [node for node in self.nodes if not node.process.running]
        for node in down:
            node.process.spawn()
        for node in down:
            node.process.wait_ready()
        wait_until(self.is_whole, _READY_SECONDS, "Kafka's brokers to find each other")

    def kill(self) -> None:
        """SIGKILL to all nodes, at once."""
        for node in self.nodes:
            node.process.signal(signal.SIGKILL)
        for node in self.nodes:
            node.process.kill()

    def is_whole(self) -> bool:
        """Whether all nodes answer as brokers."""
        with suppress(KafkaException):
            return len(self.admin.list_topics(timeout=1).brokers) >= max(len(self.nodes), 1)
        return False

    def _exists(self, topic: str) -> bool:
        return topic in self.admin.list_topics(timeout=_ANSWER_SECONDS).topics

    def _has_leaders(self, topic: str) -> bool:
        found = self.admin.list_topics(timeout=_ANSWER_SECONDS).topics.get(topic)
        partitions = found.partitions.values() if found else ()
        return bool(partitions) and all(partition.leader >= 0 for partition in partitions)


@contextmanager
def kafka(directory: Path, *, nodes: int = 1, port: int | None = None) -> Iterator[Kafka]:
    """A cluster in this directory; what is there already is kept.

    Three nodes replicate each topic three times and acknowledge with two copies.

    Args:
        directory: made when missing.
        nodes: 1 or 3.
        port: of the first node; any free one when None.
    """
    ports = [port or free_port(), *(free_port() for _ in range(nodes - 1))]
    voters = ",".join(f"{number}@127.0.0.1:{free_port()}" for number in range(1, nodes + 1))
    directory.mkdir(parents=True, exist_ok=True)
    made = [
        _node(directory / f"node-{number}", number, nodes, ports[number - 1], voters)
        for number in range(1, nodes + 1)
    ]
    cluster = Kafka(",".join(node.address for node in made), made)
    with ExitStack() as ends:
        for node in made:
            # Nothing of a cluster that is thrown away needs an orderly end, which takes 5 s.
            ends.callback(node.process.stop, 10 if nodes == 1 else 0)
        cluster.start()
        yield cluster


def _node(directory: Path, number: int, nodes: int, port: int, voters: str) -> KafkaNode:
    account = Account.first_of("kafka")
    own_directory(directory, account)
    replicas, in_sync = (3, 2) if nodes > 1 else (1, 1)
    controller_port = voters.split(",")[number - 1].rpartition(":")[2]
    properties = directory / "server.properties"
    text = _NODE + _QUICK_FAILOVER + _SMALL
    properties.write_text(
        text.format(
            node=number,
            voters=voters,
            port=port,
            controller_port=controller_port,
            directory=directory,
            replicas=replicas,
            in_sync=in_sync,
        )
    )
    distribution.format_data(directory / "data", number, account)
    process = Process(
        f"Kafka node {number}",
        [*distribution.java(), "kafka.Kafka", properties],
        log=directory / "kafka.log",
        account=account,
        ready=lambda: answers(port),
        ready_seconds=_READY_SECONDS,
    )
    return KafkaNode(number, port, process)
