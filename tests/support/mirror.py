"""A Maven repository on loopback with whatever files a test puts there."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Mirror:
    """`files` by path (`/group/artifact/version/name.jar`); `requests` are the jars that were asked for."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.files: dict[str, bytes] = {}
        #: Sent as Content-Length instead of the true one: a connection that breaks off.
        self.claimed_length: int | None = None
        self.requests: list[str] = []


@contextmanager
def serve_mirror() -> Iterator[Mirror]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.endswith(".jar"):
                mirror.requests.append(self.path)
            content = mirror.files.get(self.path)
            self.send_response(200 if content is not None else 404)
            length = mirror.claimed_length if mirror.claimed_length is not None else len(content or b"")
            self.send_header("Content-Length", str(length))
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    mirror = Mirror(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield mirror
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
