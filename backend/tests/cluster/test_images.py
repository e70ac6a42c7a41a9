"""The images: really built, inspected, and run without a right that they need not have.

The bases stand in for the official ones and are made of Debian's packages, for which debootstrap
needs root.
"""

import hashlib
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import httpx
import pytest

from madang import __version__
from tests.cluster import images
from tests.services.nginx import REPOSITORY
from tests.services.ports import free_port
from tests.services.workspace import temporary_directory

pytestmark = [pytest.mark.deploy, pytest.mark.timeout(images.BUILD_SECONDS + 100)]

TAG = f"check-{hashlib.sha256(str(REPOSITORY).encode()).hexdigest()[:8]}"
MADANG = f"docker.io/library/madang:{TAG}"
WEB = f"docker.io/library/madang-web:{TAG}"
OURS_MIB = {MADANG: 260, WEB: 8}
COMPILERS = "gcc cc c++ clang make ld as rustc go"


@pytest.fixture(scope="module", autouse=True)
def built() -> None:
    images.build(TAG)


@pytest.fixture
def upstream() -> Iterator[HTTPServer]:
    """A listener in the API's place, which says what it was asked."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps({"path": self.path}).encode())

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("image", "user", "entry"),
    [(MADANG, "10001:10001", ["madang"]), (WEB, "101:101", ["madang-web"])],
)
def test_image_says_who_runs_what_and_where_it_is_from(
    image: str, user: str, entry: list[str]
) -> None:
    about = images.inspect(image)
    assert about["Config"]["User"] == user
    assert about["Config"]["Entrypoint"] == entry
    labels = about["Labels"]
    assert labels["org.opencontainers.image.version"] == TAG
    assert labels["org.opencontainers.image.licenses"] == "MIT"
    assert len(labels["org.opencontainers.image.revision"]) == 40
    told = " ".join(about["Config"]["Env"])
    assert "PIP_" not in told
    assert "SSL_CERT" not in told


@pytest.mark.parametrize(("image", "base"), [(MADANG, "python"), (WEB, "nginx")])
def test_image_adds_little_to_its_base(image: str, base: str) -> None:
    whole = images.inspect(image)["Size"]
    under = images.inspect(f"localhost/madang-base/{base}")["Size"]
    assert (whole - under) / 2**20 < OURS_MIB[image]


@pytest.mark.parametrize("image", [MADANG, WEB])
def test_image_has_no_compiler_and_none_of_the_builder_s_settings(image: str) -> None:
    looked = images.run(
        image,
        "-c",
        f"command -v {COMPILERS}; ls /etc/pip.conf /root/.npmrc /run/secrets 2>/dev/null; true",
        entrypoint="sh",
    )
    assert (looked.exit_code, looked.output) == (0, "")


@pytest.mark.parametrize(("image", "writable"), [(MADANG, "/tmp /var/spool/madang"), (WEB, "/tmp")])
def test_image_s_user_owns_nothing_but_where_it_writes(image: str, writable: str) -> None:
    owned = images.run(
        image,
        "-c",
        "find / -xdev -path /proc -prune -o -user $(id -u) -print; test -w /tmp",
        entrypoint="sh",
    )
    lines = [line for line in owned.output.splitlines() if not line.startswith("find:")]
    assert set(lines) <= set(writable.split())
    assert owned.exit_code == 0


def test_python_image_says_its_version() -> None:
    said = images.run(MADANG, "--version")
    assert (said.exit_code, said.output) == (0, f"madang, version {__version__}\n")


def test_python_image_without_settings_names_what_is_missing() -> None:
    said = images.run(MADANG, "api")
    assert (said.exit_code, said.output) == (2, "madang: MADANG_SECRET_KEY is not set\n")


def test_python_image_asks_a_health_address() -> None:
    url = f"http://127.0.0.1:{free_port()}/api/health/ready"
    said = images.run(MADANG, "health", url)
    assert said.exit_code == 1
    assert said.output.startswith(f"madang: {url} does not answer")


def test_python_image_holds_exactly_what_is_locked() -> None:
    listed = images.run(
        MADANG,
        "-c",
        "from importlib.metadata import distributions as d\n"
        "print(*sorted(f'{x.name.lower()}=={x.version}' for x in d(path=__import__('site')"
        ".getsitepackages())), sep='\\n')",
        entrypoint="/opt/madang/bin/python",
    )
    installed = {line.replace("_", "-") for line in listed.output.splitlines()}
    lock = (REPOSITORY / "backend" / "requirements.lock").read_text().splitlines()
    locked = {line.split()[0] for line in lock if line[:1].isalnum()}
    assert f"madang=={__version__}" in installed
    assert installed - {f"madang=={__version__}"} <= locked


def test_python_image_holds_the_sources_as_they_are() -> None:
    script = (
        "import hashlib, pathlib, madang\n"
        "root = pathlib.Path(madang.__file__).parent\n"
        "for path in sorted(root.rglob('*.py')):\n"
        "    print(hashlib.sha256(path.read_bytes()).hexdigest(), path.relative_to(root))\n"
    )
    held = images.run(MADANG, "-c", script, entrypoint="/opt/madang/bin/python")
    root = REPOSITORY / "backend" / "src" / "madang"
    sources = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()} {path.relative_to(root)}"
        for path in sorted(root.rglob("*.py"))
    ]
    assert held.output.splitlines() == sources


def test_python_image_runs_the_board_on_a_read_only_file_system() -> None:
    port = free_port()
    arguments = ("serve", "--port", str(port), "--data", "/var/spool/madang/board")
    with (
        temporary_directory() as directory,
        images.running(
            MADANG,
            *arguments,
            log=directory / "serve.log",
            port=port,
            environment={},
            volumes=["/var/spool/madang"],
        ) as board,
        httpx.Client(base_url=f"http://127.0.0.1:{port}") as browser,
    ):
        well = images.run(MADANG, "health", f"http://127.0.0.1:{port}/api/health/ready")
        assert well.exit_code == 0, well.output
        given = {"username": "visitor-one", "password": "correct horse battery"}
        assert browser.post("/api/users", json=given).status_code == 201
        posted = browser.post("/api/messages", json={"body": "from an image"})
        assert posted.status_code == 201
        assert posted.headers["Madang-Call"]
    assert board.exit_code == 0, board.log_tail()


def test_python_image_s_api_serves_from_its_worker_processes() -> None:
    port = free_port()
    environment = {
        "MADANG_DATABASE_URL": "sqlite:////var/spool/madang/board.db",
        "MADANG_REDIS_URL": f"redis://127.0.0.1:{free_port()}/0",
        "MADANG_SECRET_KEY": "a-key-for-this-test-alone-0123456789",
        "MADANG_SPOOL_DIR": "/var/spool/madang/calls",
    }
    with (
        temporary_directory() as directory,
        images.running(
            MADANG,
            "-c",
            f"madang migrate && exec madang api --port {port}",
            log=directory / "api.log",
            port=port,
            environment=environment,
            volumes=["/var/spool/madang"],
            entrypoint="sh",
        ) as api,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client,
    ):
        given = {"username": "visitor-one", "password": "correct horse battery"}
        registered = client.post("/api/users", json=given)
        assert registered.status_code == 201
        assert registered.headers["Madang-Call"]
    assert api.exit_code == 0, api.log_tail()


def test_web_image_without_upstreams_names_what_is_missing() -> None:
    said = images.run(WEB)
    assert (said.exit_code, said.output) == (2, "madang-web: MADANG_API_UPSTREAM is not set\n")


def test_web_image_serves_the_pages_and_passes_the_api_on(upstream: HTTPServer) -> None:
    port = free_port()
    api = f"127.0.0.1:{upstream.server_port}"
    environment = {
        "MADANG_WEB_LISTEN": f"127.0.0.1:{port}",
        "MADANG_API_UPSTREAM": api,
        "MADANG_LIVE_UPSTREAM": api,
    }
    with (
        temporary_directory() as directory,
        images.running(WEB, log=directory / "web.log", port=port, environment=environment) as web,
        httpx.Client(base_url=f"http://127.0.0.1:{port}") as browser,
    ):
        page = browser.get("/")
        assert page.status_code == 200
        assert '<div id="app"' in page.text
        assert browser.get("/board/any-page").text == page.text
        assert browser.get("/assets/gone.js").status_code == 404
        assert browser.get("/api/messages?limit=1").json() == {"path": "/api/messages?limit=1"}
        assert browser.get("/api/live?topics=calls").json() == {"path": "/api/live?topics=calls"}
    assert web.exit_code == 0
