"""A process that serves by `serve_wsgi`; run with a port, workers and a directory for notes."""

import _thread
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from flask import Blueprint, Response, request

from madang.errors import ConfigurationError, MadangError
from madang.http.app import create_app
from madang.http.guard import public
from madang.http.server import serve_wsgi
from madang.http.worker import at_worker_end

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

NOTES = "TEST_NOTES"


def make() -> "WSGIApplication":
    """The real frame with routes that take a body and that wait for a file."""
    notes = Path(os.environ[NOTES])
    if (notes / "refuse").exists():
        raise ConfigurationError("MADANG_TEST is not set")
    stop_unheard(notes)
    blueprint = Blueprint("test", __name__, url_prefix="/api")

    @blueprint.post("/echo")
    @public
    def echo() -> Response:
        return Response(str(len(request.get_data())))

    @blueprint.get("/slow")
    @public
    def slow() -> Response:
        (notes / "slow.began").touch()
        waiting = threading.Event()
        while not (notes / "slow.go").exists():
            waiting.wait(0.01)
        (notes / "slow.done").touch()
        return Response("done")

    @blueprint.get("/pid")
    @public
    def pid() -> Response:
        return Response(str(os.getpid()))

    def note_end() -> None:
        done = (notes / "slow.done").exists()
        (notes / f"end.{os.getpid()}").write_text(f"slow done: {done}")

    at_worker_end(note_end)
    return create_app([blueprint], lambda _request: None)


def stop_unheard(notes: Path) -> None:
    """Note a signal to stop when the main thread waits already, without waking it."""

    def stop() -> None:
        while not (notes / "stop now").exists():
            time.sleep(0.01)
        _thread.interrupt_main(signal.SIGTERM)

    threading.Thread(target=stop, daemon=True).start()


if __name__ == "__main__":
    try:
        serve_wsgi(
            "tests.unit.http.wsgi_process:make",
            "127.0.0.1",
            int(sys.argv[1]),
            workers=int(sys.argv[2]),
            threads=4,
        )
    except MadangError as error:
        sys.exit(error.detail)
