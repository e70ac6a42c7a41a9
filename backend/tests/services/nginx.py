"""nginx with the project's own configuration, as the web image runs it."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.services.ports import answers, free_port
from tests.services.process import Account, Process, find_program, own_directory

REPOSITORY = Path(__file__).resolve().parents[3]
TEMPLATE = REPOSITORY / "deploy" / "images" / "web" / "nginx.conf.template"
BUILT_SPA = REPOSITORY / "frontend" / "dist"


@dataclass(frozen=True, slots=True)
class Nginx:
    """A running nginx; its log holds one JSON object a request."""

    port: int
    process: Process

    @property
    def url(self) -> str:
        """Where it answers, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"


def render(template: str, variables: dict[str, str]) -> str:
    """Put variables in as envsubst does: `${NAME}`; nginx's own `$name` stay.

    Raises:
        KeyError: the template names one that is not given.
    """
    return re.sub(r"\$\{(MADANG_\w+)\}", lambda match: variables[match[1]], template)


@contextmanager
def nginx(
    directory: Path,
    *,
    api_port: int,
    live_port: int,
    web_root: Path = BUILT_SPA,
    port: int | None = None,
) -> Iterator[Nginx]:
    """nginx in front of an API, a live process and a built application.

    One process without a master: workers outlive a master that is killed.
    """
    account = Account.first_of("www-data")
    own_directory(directory, account)
    listen = port or free_port()
    configuration = directory / "nginx.conf"
    configuration.write_text(
        render(
            TEMPLATE.read_text(),
            {
                "MADANG_WEB_LISTEN": f"127.0.0.1:{listen}",
                "MADANG_WEB_ROOT": str(_readable(web_root, directory, account)),
                "MADANG_WEB_TMP": str(directory),
                "MADANG_API_UPSTREAM": f"127.0.0.1:{api_port}",
                "MADANG_LIVE_UPSTREAM": f"127.0.0.1:{live_port}",
            },
        )
    )
    in_front = "daemon off; master_process off;"
    process = Process(
        "nginx",
        [find_program("nginx"), "-e", "stderr", "-c", configuration, "-g", in_front],
        log=directory / "nginx.log",
        account=account,
        ready=lambda: answers(listen),
    )
    try:
        process.start()
        yield Nginx(listen, process)
    finally:
        process.stop(5)


def _readable(web_root: Path, directory: Path, account: Account | None) -> Path:
    """The application's files, or a copy where the account could not reach them in our home."""
    if account is None:
        return web_root
    copy = directory / "web"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(web_root, copy)
    for path in (copy, *copy.rglob("*")):
        shutil.chown(path, account.uid, account.gid)
    return copy
