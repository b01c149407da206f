"""A web server on this machine that can be cut, slow, or held back."""

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

BODY = bytes(hashlib.shake_256(b"a file of the tutorial").digest(300_001))
SHA256 = hashlib.sha256(BODY).hexdigest()
PIECE = 1 << 16  # bytes


class Server(ThreadingHTTPServer):
    """Sends `files`; `cut` ends an answer before that byte of the file, `pause` and `go` hold pieces back."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = {"/file.bin": BODY}
        self.cut: int | None = None
        self.pause = 0.0
        self.go = Event()
        self.go.set()
        self.answers = 0  # how many files were asked for and are there

    def url(self, name: str = "file.bin") -> str:
        return f"http://127.0.0.1:{self.server_port}/{name}"

    def handle_error(self, request, client_address):
        """Clients that are killed are part of the tests."""


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self):
        body = self.server.files.get(self.path)
        if body is None:
            return self.send_error(404)
        self.server.answers += 1
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        end = len(body) if self.server.cut is None else self.server.cut
        for at in range(0, end, PIECE):
            self.wfile.write(body[at : min(at + PIECE, end)])
            time.sleep(self.server.pause)
            self.server.go.wait()

    def log_message(self, *args):
        """Quiet."""


@contextmanager
def running_server() -> Iterator[Server]:
    with Server() as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server
        server.shutdown()
