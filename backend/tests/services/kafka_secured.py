"""A private Kafka of one node that asks for a name and a password, with and without TLS."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka.admin import AdminClient

from tests.services import kafka_distribution as distribution
from tests.services.certificates import certify_itself
from tests.services.ports import answers, free_port
from tests.services.process import Account, Process, own_directory, run

USERNAME, PASSWORD = "madang-example", "only-for-tests"
LIMITED = "madang-limited"
"""May do nothing that an access control list does not allow; the same password."""

_CLUSTER_ID = "bWFkYW5nLXNlY3VyZWQtMQ"
_NODE = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=INSIDE://127.0.0.1:{inside},PLAIN://127.0.0.1:{sasl_plaintext},\
TLS://127.0.0.1:{sasl_ssl},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=INSIDE://127.0.0.1:{inside},PLAIN://127.0.0.1:{sasl_plaintext},\
TLS://127.0.0.1:{sasl_ssl}
listener.security.protocol.map=INSIDE:PLAINTEXT,PLAIN:SASL_PLAINTEXT,TLS:SASL_SSL,\
CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=INSIDE
sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.plain.sasl.enabled.mechanisms=SCRAM-SHA-512,PLAIN
listener.name.plain.plain.sasl.jaas.config={plain}
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS;User:{user}
listener.name.plain.scram-sha-512.sasl.jaas.config={login}
listener.name.tls.scram-sha-512.sasl.jaas.config={login}
ssl.keystore.type=PEM
ssl.keystore.location={directory}/server.pem
log.dirs={directory}/data
auto.create.topics.enable=false
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
"""
_LOGIN = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
_PLAIN = (
    "org.apache.kafka.common.security.plain.PlainLoginModule required "
    f'user_{USERNAME}="{PASSWORD}";'
)


@dataclass(frozen=True, slots=True)
class SecuredKafka:
    """Its addresses for clients, its controller's, and the authority of its certificate."""

    controller: str
    sasl_plaintext: str
    sasl_ssl: str
    authority: Path

    def admin(self) -> AdminClient:
        """A client that may do everything."""
        return AdminClient(
            {
                "bootstrap.servers": self.sasl_plaintext,
                "security.protocol": "SASL_PLAINTEXT",
                "sasl.mechanism": "SCRAM-SHA-512",
                "sasl.username": USERNAME,
                "sasl.password": PASSWORD,
                "log_level": 0,
            }
        )


@contextmanager
def secured_kafka(directory: Path) -> Iterator[SecuredKafka]:
    """A broker in this directory, which is made."""
    account = Account.first_of("kafka")
    own_directory(directory, account)
    ports = {name: free_port() for name in ("controller", "inside", "sasl_plaintext", "sasl_ssl")}
    _certify(directory, account)
    properties = directory / "server.properties"
    properties.write_text(
        _NODE.format(directory=directory, login=_LOGIN, plain=_PLAIN, user=USERNAME, **ports)
    )
    _format(directory, properties, account)
    process = Process(
        "Kafka with passwords",
        [*distribution.java(), "kafka.Kafka", properties],
        log=directory / "kafka.log",
        account=account,
        ready=lambda: all(answers(port) for port in ports.values()),
        ready_seconds=60,
    )
    try:
        process.start()
        yield SecuredKafka(
            f"127.0.0.1:{ports['controller']}",
            f"127.0.0.1:{ports['sasl_plaintext']}",
            f"127.0.0.1:{ports['sasl_ssl']}",
            directory / "authority.pem",
        )
    finally:
        process.stop(0)


def _format(directory: Path, properties: Path, account: Account | None) -> None:
    options = ["-t", _CLUSTER_ID, "-c", str(properties)]
    for name in (USERNAME, LIMITED):
        options += ["--add-scram", f"SCRAM-SHA-512=[name={name},password={PASSWORD}]"]
    argv = [*distribution.java(), "kafka.tools.StorageTool", "format", *options]
    run("Kafka's format", argv, log=directory / "format.log", account=account)


def _certify(directory: Path, account: Account | None) -> None:
    """A certificate that clients trust, and with its key beside it for Kafka."""
    key, authority = certify_itself(directory, "authority", account)
    (directory / "server.pem").write_text(key.read_text() + authority.read_text())
