"""Kafka's jars as `make setup` resolved them, and what makes them start quickly.

Two things are made once a machine, in the cache directory: an archive of the classes that a start
loads (AppCDS: a broker is up in 1.3 s rather than 2.4 s) and formatted data directories, one for
each node number, which a new node copies.
"""

import hashlib
import shutil
from pathlib import Path

from tests.services.errors import ServiceMissingError
from tests.services.ports import answers, free_port
from tests.services.process import (
    Account,
    Process,
    find_program,
    own_directory,
    require_passable,
    run,
)
from tests.services.workspace import cache_directory, exclusive, temporary_directory

LARGEST_NODE = 3
_CLUSTER_ID = "bWFkYW5nLWNsdXN0ZXItMQ"
_OPTIONS = (
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:-UsePerfData",
    "-Xms32m",
    "-Xmx256m",
)
_PROPERTIES = """\
process.roles=broker,controller
node.id={node}
controller.quorum.voters={node}@127.0.0.1:{controller_port}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
controller.listener.names=CONTROLLER
log.dirs={directory}/node-{node}
"""


def java() -> list[str]:
    """The command that takes a main class and its arguments, with the class archive."""
    return [*_java(), f"-XX:SharedArchiveFile={_prepared() / 'classes.jsa'}"]


def format_data(data: Path, node: int, account: Account | None) -> None:
    """Make a node's data directory unless it is there."""
    if data.exists():
        return
    shutil.copytree(_prepared() / f"node-{node}", data)
    if account:
        for path in (data, *data.rglob("*")):
            shutil.chown(path, account.uid, account.gid)


def _jars() -> list[Path]:
    library = cache_directory() / "kafka" / "lib"
    require_passable(library, Account.first_of("kafka"))
    jars = sorted(library.glob("*.jar"))
    if not jars:
        raise ServiceMissingError("Kafka")
    return jars


def _java() -> list[str]:
    # The archive holds for exactly this class path, in this order.
    class_path = ":".join(str(jar) for jar in _jars())
    return [find_program("java"), *_OPTIONS, "-cp", class_path]


def _prepared() -> Path:
    """Where the archive and the formatted directories for these jars and this Java are."""
    files = [*_jars(), Path(find_program("java")).resolve()]
    states = [f"{file}:{file.stat().st_mtime_ns}:{file.stat().st_size}" for file in files]
    key = hashlib.sha256("\n".join([*states, *_OPTIONS, _CLUSTER_ID]).encode()).hexdigest()[:16]
    target = cache_directory() / "kafka" / f"prepared-{key}"
    if not target.exists():
        with exclusive(target.parent / "prepare.lock"):
            if not target.exists():
                _prepare(target)
    return target


def _prepare(target: Path) -> None:
    """Format, start once to see which classes that loads, and put both in their place at once."""
    account = Account.first_of("kafka")
    with temporary_directory() as directory:
        work = own_directory(directory / "work", account)
        for node in range(LARGEST_NODE, 0, -1):
            properties = _write_properties(work, node)
            argv = [*_java(), "kafka.tools.StorageTool", "format", "-t", _CLUSTER_ID]
            run("Kafka's format", [*argv, "-c", properties], log=work / "log", account=account)
        fresh = target.with_suffix(".new")
        shutil.rmtree(fresh, ignore_errors=True)
        for formatted in work.glob("node-*"):
            shutil.copytree(formatted, fresh / formatted.name, copy_function=shutil.copyfile)
        _archive_classes(work, account)
        shutil.copyfile(work / "classes.jsa", fresh / "classes.jsa")
    for path in (fresh, *fresh.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    for old in target.parent.glob("prepared-*[0-9a-f]"):
        shutil.rmtree(old, ignore_errors=True)
    fresh.rename(target)


def _write_properties(work: Path, node: int) -> Path:
    properties = work / f"{node}.properties"
    properties.write_text(
        _PROPERTIES.format(node=node, directory=work, port=free_port(), controller_port=free_port())
    )
    return properties


def _archive_classes(work: Path, account: Account | None) -> None:
    properties = _write_properties(work, 1)
    port = int(properties.read_text().split("PLAINTEXT://127.0.0.1:")[1].split(",")[0])
    program, *options = _java()
    archive = f"-XX:ArchiveClassesAtExit={work}/classes.jsa"
    broker = Process(
        "Kafka",
        [program, archive, *options, "kafka.Kafka", properties],
        log=work / "log",
        account=account,
        ready=lambda: answers(port),
        ready_seconds=60,
    )
    try:
        broker.start()
    finally:
        broker.stop(60)
