"""The command line: accounts, and errors as one line."""

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from madang.cli import main

PASSWORD = "correct horse battery"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {
        "MADANG_DATABASE_URL": f"sqlite:///{tmp_path}/madang.db",
        "MADANG_USER_PASSWORD": PASSWORD,
    }


def madang(environment: dict[str, str], *arguments: str) -> Result:
    return CliRunner(env=environment).invoke(main, arguments)


def test_accounts_are_added_changed_and_listed(environment: dict[str, str]) -> None:
    assert madang(environment, "migrate").exit_code == 0
    assert madang(environment, "user", "add", "관리자", "--role", "admin").exit_code == 0
    assert madang(environment, "user", "add", "reader-one").exit_code == 0
    assert madang(environment, "user", "role", "reader-one", "moderator").exit_code == 0
    assert madang(environment, "user", "disable", "관리자").exit_code == 0
    assert madang(environment, "user", "password", "reader-one").exit_code == 0
    rows = [
        line.split("\t")[:3] for line in madang(environment, "user", "list").output.splitlines()
    ]
    assert rows == [["관리자", "admin", "disabled"], ["reader-one", "moderator", "active"]]
    assert madang(environment, "user", "disable", "관리자", "--undo").exit_code == 0
    assert "disabled" not in madang(environment, "user", "list").output


def test_account_that_exists_can_be_asked_for_again(environment: dict[str, str]) -> None:
    madang(environment, "migrate")
    madang(environment, "user", "add", "admin-one")
    assert madang(environment, "user", "add", "ADMIN-one").exit_code == 1
    assert madang(environment, "user", "add", "ADMIN-one", "--if-missing").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "said", "code"),
    [
        (["user", "list"], "madang migrate", 1),
        (["migrate", "--check"], "madang migrate", 1),
        (["ship"], "MADANG_SPOOL_DIR is not set", 2),
        (["topics"], "MADANG_KAFKA_BOOTSTRAP is not set", 2),
        (["api"], "MADANG_SECRET_KEY is not set", 2),
    ],
)
def test_what_is_missing_is_one_line(
    environment: dict[str, str], arguments: list[str], said: str, code: int
) -> None:
    done = madang(environment, *arguments)
    assert done.exit_code == code
    (line,) = done.output.strip().splitlines()
    assert said in line


@pytest.mark.parametrize("name", ["postgresql://db/madang", "nonsense", "mariadb://:port/x"])
def test_wrong_database_address_is_one_line_that_names_it(name: str) -> None:
    done = madang({"MADANG_DATABASE_URL": name}, "migrate")
    assert done.exit_code == 2
    assert done.output.startswith("madang: MADANG_DATABASE_URL")


def test_prune_and_recount_say_what_they_did(environment: dict[str, str]) -> None:
    assert madang(environment, "migrate").exit_code == 0
    counted = madang(
        environment, "recount", "--from", "2030-05-17T12:00Z", "--to", "2030-05-18T00:00Z"
    )
    assert counted.output == "0 calls; statistics of 0 hours differed\n"
    pruned = madang(environment, "prune", "--keep", "30d")
    assert pruned.output == "Removed 0 calls, 0 rejected events and 0 expired sessions\n"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [(["prune", "--keep", "a month"], "--keep"), (["recount", "--from", "noon"], "--from")],
)
def test_upkeep_that_is_asked_wrongly_is_one_line(
    environment: dict[str, str], arguments: list[str], named: str
) -> None:
    madang(environment, "migrate")
    refused = madang(environment, *arguments)
    assert refused.exit_code == 2
    assert refused.output.count("\n") == 1
    assert named in refused.output


@pytest.mark.parametrize(
    ("module", "strangers"),
    [
        ("madang.cli", {"sqlalchemy", "redis", "confluent_kafka", "flask", "opentelemetry.sdk"}),
        ("madang.shipping", {"sqlalchemy", "alembic", "numpy", "argon2"}),
        ("madang.recording", {"argon2", "numpy"}),
        ("madang.bootstrap", {"confluent_kafka"}),
    ],
)
def test_process_loads_only_its_own_libraries(module: str, strangers: set[str]) -> None:
    """What it does not use would cost it memory, and time at each start."""
    code = f"import {module}, sys; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert strangers & set(loaded.stdout.split()) == set()
