"""What a result was measured on."""

import platform
import re
import subprocess
from importlib.metadata import version
from pathlib import Path

import msgspec
import psutil
from redis import Redis as RedisClient

import madang
from measure import REPOSITORY
from measure.stand import Stand
from tests.services.mariadb import MariaDB
from tests.services.process import find_program
from tests.services.workspace import cache_directory

GIBIBYTE = 1024**3
MEBIBYTE = 1024**2
_FLUSH = "innodb_flush_log_at_trx_commit"
_SIZES = ("innodb_buffer_pool_size", "innodb_log_file_size")
_LIBRARIES = ("flask", "granian", "sqlalchemy", "pymysql", "redis", "confluent-kafka")


class Machine(msgspec.Struct, frozen=True):
    """Its size."""

    cores: int
    memory_gib: float
    cpu: str
    kernel: str


def machine() -> Machine:
    """This one."""
    found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return Machine(
        psutil.cpu_count() or 1,
        round(psutil.virtual_memory().total / GIBIBYTE, 1),
        found[1] if found else platform.machine(),
        platform.release(),
    )


def versions(stand: Stand | None, *programs: str) -> dict[str, str]:
    """Of the commit under test, of what answers in `stand`, and of `programs`, by their names."""
    return {
        "madang": madang.__version__,
        "commit": _commit(),
        "python": platform.python_version(),
        **({} if stand is None else _services(stand)),
        **{name: _first_number(find_program(name), "-v") for name in programs},
        **{name: version(name) for name in _LIBRARIES},
    }


def settings(mariadb: MariaDB) -> dict[str, str]:
    """What decides how durable and how quick the database is, as the server itself says it."""
    names = ", ".join(f"@@{name}" for name in (_FLUSH, *_SIZES))
    with mariadb.cursor() as cursor:
        cursor.execute(f"SELECT {names}")
        flush, *sizes = cursor.fetchone() or ()
    pairs = zip(_SIZES, sizes, strict=True)
    return {_FLUSH: str(flush)} | {name: f"{size // MEBIBYTE}M" for name, size in pairs}


def _services(stand: Stand) -> dict[str, str]:
    with stand.mariadb.cursor() as cursor:
        cursor.execute("SELECT VERSION()")
        (mariadb,) = cursor.fetchone() or ("",)
    with RedisClient.from_url(stand.redis.address) as client:
        redis = client.info("server")["redis_version"]
    return {"mariadb": str(mariadb), "redis": str(redis), "kafka": _kafka()}


def _commit() -> str:
    """The commit, with a plus sign where the backend differs from it."""
    git = ["git", "-C", str(REPOSITORY)]
    head = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, check=False)
    changed = subprocess.run(
        [*git, "status", "--porcelain", "backend/src"], capture_output=True, check=False
    )
    return head.stdout.decode().strip() + ("+" if changed.stdout else "")


def _kafka() -> str:
    jars = (cache_directory() / "kafka" / "lib").glob("kafka-clients-*.jar")
    return next((jar.stem.removeprefix("kafka-clients-") for jar in jars), "")


def _first_number(*argv: str) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    found = re.search(r"\d+(?:\.\d+)+", done.stdout + done.stderr)
    return found[0] if found else ""
