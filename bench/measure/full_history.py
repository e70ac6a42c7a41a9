"""A history that is full before anything is measured, and the options that say how full."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from measure.prefill import prefill
from measure.stand import Stand, services
from tests.services.workspace import temporary_directory


def add_options(parser: argparse.ArgumentParser) -> None:
    """What every bench over a large database takes."""
    parser.add_argument("--rows", type=int, default=10_000_000, help="of history, at least")
    parser.add_argument(
        "--keep", type=Path, metavar="DIR", help="where the history is kept and found again"
    )
    parser.add_argument("--buffer-pool", default="1G", help="innodb_buffer_pool_size")
    parser.add_argument("--log-file", default="512M", help="innodb_log_file_size")


@contextmanager
def full_history(given: argparse.Namespace) -> Iterator[Stand]:
    """Services with at least `--rows` calls in history, kept in `--keep` where that is given."""
    with _services(given, given.keep) as stand:
        prefill(stand, given.rows, given.keep or stand.directory)
        yield stand


@contextmanager
def empty_history(given: argparse.Namespace) -> Iterator[Stand]:
    """The same services with nothing in them; they leave nothing behind."""
    with _services(given, None) as stand:
        yield stand


@contextmanager
def _services(given: argparse.Namespace, keep: Path | None) -> Iterator[Stand]:
    with (
        temporary_directory() as directory,
        services(
            directory, keep=keep, buffer_pool=given.buffer_pool, log_file=given.log_file
        ) as stand,
    ):
        yield stand
