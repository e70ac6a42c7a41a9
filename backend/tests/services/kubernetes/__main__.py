"""`python -m tests.services.kubernetes up`: the cluster that the tests would use, for a person."""

import os
import shlex
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import psutil

from tests.services.errors import ServiceError
from tests.services.kubernetes.fake_nodes import fake_nodes
from tests.services.kubernetes.images import Images, built_images
from tests.services.kubernetes.node import node
from tests.services.workspace import temporary_directory

_STOP_SECONDS = 60
_directory = click.option(
    "--directory",
    type=click.Path(path_type=Path),
    default=Path("/tmp/madang-cluster"),
    show_default=True,
    help="Where `kubeconfig`, `environment` and `pid` are to lie.",
)


@click.group()
def main() -> None:
    """A Kubernetes on this machine, made of programs that scripts/setup-kube.sh builds."""


@main.command()
@_directory
@click.option("--fake-nodes", is_flag=True, help="Nodes on which nothing runs; needs no root.")
def up(directory: Path, *, fake_nodes: bool) -> None:
    """Run a cluster until Ctrl+C or `down`; says how to reach it."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.default_int_handler)
    try:
        with (
            temporary_directory() as work,
            _running(work / "cluster", fake=fake_nodes) as found,
            _announced(directory, *found),
        ):
            signal.pause()
    except KeyboardInterrupt:
        click.echo("Stopped")
    except ServiceError as error:
        raise click.ClickException(str(error)) from None


@main.command()
@_directory
def down(directory: Path) -> None:
    """End what `up` runs, and wait until it has."""
    file = directory / "pid"
    if not file.exists():
        raise click.ClickException(f"nothing runs: there is no {file}")
    try:
        process = psutil.Process(int(file.read_text()))
        process.terminate()
        process.wait(_STOP_SECONDS)
    except psutil.NoSuchProcess:
        click.echo("It had ended already")
    file.unlink(missing_ok=True)


@contextmanager
def _running(work: Path, *, fake: bool) -> Iterator[tuple[Path, Images | None]]:
    """The kubeconfig, and the images that are there."""
    if fake:
        with fake_nodes(work) as cluster:
            yield cluster.kubeconfig, None
    else:
        images = built_images()
        with node(work, list(images.archives.values())) as own:
            yield own.cluster.kubeconfig, images


@contextmanager
def _announced(directory: Path, kubeconfig: Path, images: Images | None) -> Iterator[None]:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if directory.stat().st_uid != os.getuid():
        raise ServiceError(f"{directory} is somebody else's: choose another --directory")
    pid = directory / "pid"
    pid.write_text(f"{os.getpid()}\n")
    try:
        _tell(directory, kubeconfig, images)
        yield
    finally:
        pid.unlink(missing_ok=True)


def _tell(directory: Path, kubeconfig: Path, images: Images | None) -> None:
    link = directory / "kubeconfig"
    link.unlink(missing_ok=True)
    link.symlink_to(kubeconfig)
    variables = {"KUBECONFIG": str(link)}
    if images:
        variables["MADANG_TEST_IMAGE_TAG"] = images.tag
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in variables.items()]
    (directory / "environment").write_text("".join(lines))
    click.echo(f"Ready. For kubectl, helm and the tests: source {directory}/environment")


if __name__ == "__main__":
    main()
