"""The services themselves: each starts, answers, starts again and is gone afterwards."""

import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from confluent_kafka import Consumer, Producer
from redis import Redis as RedisClient

from tests.services.chromium import chromium
from tests.services.errors import ServiceError, ServiceMissingError
from tests.services.kafka import Kafka, kafka
from tests.services.mariadb import mariadb
from tests.services.otlp import OtlpReceiver
from tests.services.ports import answers, free_port
from tests.services.process import Process, find_program, is_alive
from tests.services.redis import redis
from tests.services.waiting import wait_until
from tests.services.workspace import temporary_directory

pytestmark = pytest.mark.integration

BACKEND = Path(__file__).resolve().parents[2]

HOLDER = """
import sys, threading
from pathlib import Path
from tests.services.redis import redis
from tests.services.workspace import temporary_directory

with temporary_directory() as directory, redis(directory / "redis") as server:
    print(server.process.pid, directory, flush=True)
    threading.Event().wait()
"""


@contextmanager
def holder() -> Iterator[tuple[subprocess.Popen[str], int, Path]]:
    """Another Python that holds a Redis: the Python, the server's pid, its directory."""
    python = subprocess.Popen(
        [sys.executable, "-c", HOLDER],
        cwd=BACKEND,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with python:
        assert python.stdout is not None
        pid, directory = python.stdout.readline().split()
        try:
            yield python, int(pid), Path(directory)
        finally:
            python.kill()


def acknowledged_offset(cluster: Kafka, topic: str) -> int:
    """Send one event with all acknowledgements; returns where it lies."""
    offsets: list[int | None] = []
    producer = Producer(
        {"bootstrap.servers": cluster.bootstrap, "acks": "all", "enable.idempotence": True}
    )
    producer.produce(
        topic, b"{}", partition=0, on_delivery=lambda _error, event: offsets.append(event.offset())
    )
    producer.flush(30)
    assert offsets, "nothing was acknowledged"
    assert offsets[0] is not None
    return offsets[0]


def test_mariadb_keeps_its_data_through_kill_and_is_gone_afterwards(
    services_directory: Path,
) -> None:
    with mariadb(services_directory / "own-mariadb") as server:
        assert server.process is not None
        with server.database("board") as url:
            assert url == f"mariadb://madang:madang@127.0.0.1:{server.port}/board"
            with server.cursor("board") as cursor:
                cursor.execute("CREATE TABLE t (word VARCHAR(20))")
                cursor.execute("INSERT INTO t VALUES ('마당')")
            server.process.kill()
            server.start()
            with server.cursor("board") as cursor:
                cursor.execute("SELECT word FROM t")
                assert cursor.fetchall() == (("마당",),)
        with server.cursor() as cursor:
            assert cursor.execute("SHOW DATABASES LIKE 'board'") == 0
        pid = server.process.pid
    assert not is_alive(pid)


def test_mariadb_data_are_kept_between_starts(services_directory: Path) -> None:
    directory = services_directory / "kept-mariadb"
    with mariadb(directory, durable=True) as server, server.cursor() as cursor:
        cursor.execute("CREATE DATABASE kept")
    with mariadb(directory) as server, server.cursor() as cursor:
        assert cursor.execute("SHOW DATABASES LIKE 'kept'") == 1
        cursor.execute("SELECT @@innodb_flush_log_at_trx_commit")
        assert cursor.fetchone() == (2,)


def test_redis_starts_empty_again_on_its_port(services_directory: Path) -> None:
    with redis(services_directory / "own-redis") as server:
        assert server.process is not None
        with RedisClient.from_url(server.url()) as client:
            client.set("a", "b")
            assert client.config_get("maxmemory-policy")["maxmemory-policy"] == "volatile-lru"
        server.process.kill()
        assert not server.answers()
        server.start()
        with RedisClient.from_url(server.url()) as client:
            assert client.dbsize() == 0
        pid = server.process.pid
    assert not is_alive(pid)


def test_redis_databases_are_handed_out_empty(redis_url: str) -> None:
    with RedisClient.from_url(redis_url) as client:
        assert client.dbsize() == 0
        client.set("left", "behind")


def test_redis_databases_are_emptied_after_a_test_that_left_something(redis_url: str) -> None:
    with RedisClient.from_url(redis_url) as client:
        assert client.dbsize() == 0


def test_kafka_topic_is_made_used_and_deleted(kafka_server: Kafka, kafka_topic: str) -> None:
    kafka_server.create_topic(kafka_topic, partitions=3)
    assert acknowledged_offset(kafka_server, kafka_topic) == 0
    consumer = Consumer(
        {
            "bootstrap.servers": kafka_server.bootstrap,
            "group.id": kafka_topic,
            "auto.offset.reset": "earliest",
        }
    )
    consumer.subscribe([kafka_topic])
    message = wait_until(lambda: consumer.poll(0.1), 20, "the event")
    consumer.close()
    assert message.value() == b"{}"
    kafka_server.delete_topic(kafka_topic)
    kafka_server.create_topic(kafka_topic)
    assert acknowledged_offset(kafka_server, kafka_topic) == 0


def test_kafka_makes_no_topic_by_itself(kafka_server: Kafka, kafka_topic: str) -> None:
    found = kafka_server.admin.list_topics(kafka_topic, timeout=5).topics[kafka_topic]
    assert found.error is not None
    assert kafka_topic not in kafka_server.admin.list_topics(timeout=5).topics


def test_kafka_single_node_comes_back_on_its_port_and_data(services_directory: Path) -> None:
    with kafka(services_directory / "one-kafka") as cluster:
        cluster.create_topic("api-logs")
        assert acknowledged_offset(cluster, "api-logs") == 0
        bootstrap = cluster.bootstrap
        cluster.kill()
        cluster.start()
        assert cluster.bootstrap == bootstrap
        assert acknowledged_offset(cluster, "api-logs") == 1


def test_otlp_receiver_refuses_unknown_paths(otlp: OtlpReceiver) -> None:
    request = urllib.request.Request(f"{otlp.endpoint}/v1/unknown", data=b"", method="POST")
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(request, timeout=5)


def test_chromium_is_installed() -> None:
    version = subprocess.run(
        [chromium(), "--version"], capture_output=True, text=True, check=True, timeout=30
    )
    assert "Chrom" in version.stdout


def test_services_never_run_as_root(services_directory: Path) -> None:
    with redis(services_directory / "unprivileged") as server:
        assert server.process is not None
        assert psutil.Process(server.process.pid).uids().real != 0


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_services_end_with_whoever_started_them(number: signal.Signals) -> None:
    with holder() as (python, pid, directory):
        assert is_alive(pid)
        python.send_signal(number)
        python.wait(10)
        wait_until(lambda: not is_alive(pid), 20, "the end of Redis")
        if number == signal.SIGINT:
            assert not directory.exists()
    with temporary_directory():
        assert not directory.exists(), "a killed process' directory is removed by the next"


def test_process_that_dies_at_its_start_shows_its_log(tmp_path: Path) -> None:
    process = Process(
        "failing",
        [sys.executable, "-c", "raise SystemExit('no such thing')"],
        log=tmp_path / "log",
        ready=lambda: False,
    )
    with pytest.raises(ServiceError, match=r"(?s)failing ended with 1.*no such thing"):
        process.start()


def test_process_that_is_never_ready_fails_at_its_deadline(tmp_path: Path) -> None:
    process = Process(
        "slow",
        [sys.executable, "-c", "import time; print('waiting', flush=True); time.sleep(60)"],
        log=tmp_path / "log",
        ready=lambda: False,
        ready_seconds=0.5,
    )
    with pytest.raises(ServiceError, match=r"(?s)waited 0.5 s in vain for slow"):
        process.start()
    process.stop(1)
    assert process.exit_code == -signal.SIGTERM


def test_stop_ends_a_paused_process_and_all_it_started(tmp_path: Path) -> None:
    forker = "import subprocess; subprocess.run(['sleep', '60'])"
    process = Process("parent", [sys.executable, "-c", forker], log=tmp_path / "log")
    process.start()
    (sleeper,) = wait_until(process.children, 20, "the child")
    process.pause()
    process.stop(1)
    assert not is_alive(process.pid)
    wait_until(lambda: not is_alive(sleeper.pid), 20, "the end of the child")


def test_missing_program_names_make_setup() -> None:
    with pytest.raises(ServiceMissingError, match="`make setup`"):
        find_program("no-such-program")


def test_free_ports_differ_and_lie_outside_the_kernels_range() -> None:
    ports = {free_port() for _ in range(50)}
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert len(ports) == 50
    assert max(ports) < lowest
    assert not any(answers(port) for port in ports)
