"""A bucket on this machine that answers as S3 does: signatures checked, lists in pages."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

from streams.contracts.sigv4 import S3Keys, sign_request

BUCKET = "models"
KEYS = S3Keys(key_id="AKIDEXAMPLE", secret="a secret", region="eu-central-1")
#: Names on one page of a list: few, so that every list has several.
PAGE = 2


class Bucket:
    """What the server keeps; `failing` is the status of every answer, where one is set."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.failing: int | None = None
        self.endpoint = ""

    def environ(self, **changes: str) -> dict[str, str]:
        return {
            "AWS_ACCESS_KEY_ID": KEYS.key_id,
            "AWS_SECRET_ACCESS_KEY": KEYS.secret,
            "PRECOMPUTE_S3_REGION": KEYS.region,
            "PRECOMPUTE_S3_ENDPOINT": self.endpoint,
        } | changes

    def list_page(self, prefix: str, after: str) -> bytes:
        names = sorted(name for name in self.objects if name.startswith(prefix) and name > after)
        page = names[:PAGE]
        keys = "".join(f"<Contents><Key>{escape(name)}</Key></Contents>" for name in page)
        more = f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>" if names[PAGE:] else ""
        space = "http://s3.amazonaws.com/doc/2006-03-01/"
        return (
            f'<?xml version="1.0"?><ListBucketResult xmlns="{space}">{keys}{more}</ListBucketResult>'.encode()
        )


class _Handler(BaseHTTPRequestHandler):
    bucket: Bucket

    def do_GET(self) -> None:
        if self._is_refused(b""):
            return
        parts = urlsplit(self.path)
        name, _, key = unquote(parts.path).removeprefix("/").partition("/")
        if name != BUCKET:
            self._answer(404, b"<Error><Code>NoSuchBucket</Code></Error>")
        elif parts.query:
            asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
            self._answer(200, self.bucket.list_page(asked["prefix"], asked.get("continuation-token", "")))
        elif key in self.bucket.objects:
            self._answer(200, self.bucket.objects[key])
        else:
            self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")

    def do_PUT(self) -> None:
        data = self.rfile.read(int(self.headers["content-length"]))
        if not self._is_refused(data):
            self.bucket.objects[unquote(self.path).removeprefix(f"/{BUCKET}/")] = data
            self._answer(200, b"")

    def _is_refused(self, data: bytes) -> bool:
        if self.bucket.failing is not None:
            self._answer(self.bucket.failing, b"")
            return True
        if not self._is_signed(data):
            self._answer(403, b"<Error><Code>SignatureDoesNotMatch</Code></Error>")
            return True
        return False

    def _is_signed(self, data: bytes) -> bool:
        stamp = datetime.strptime(self.headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        digest = hashlib.sha256(data).hexdigest()
        signed = sign_request(KEYS, self.command, self.bucket.endpoint + self.path, digest, stamp)
        return all(self.headers[name] == value for name, value in signed.items())

    def _answer(self, status: int, data: bytes) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Silent: pytest shows what matters."""


@contextmanager
def serve_bucket() -> Iterator[Bucket]:
    bucket = Bucket()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"bucket": bucket}))
    bucket.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield bucket
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
