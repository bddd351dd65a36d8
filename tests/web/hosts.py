"""Web servers that hand out a folder, each in a way that real ones do."""

import functools
import gzip
import http.server
import io
import mimetypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

# Files as they are, names in .gz said to be encoded (Apache's AddEncoding, Vite), and everything compressed when sent.
HOSTS = ["plain", "encoding", "compressing"]


class _Host(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


class _Encoding(_Host):
    def end_headers(self) -> None:
        if mimetypes.guess_type(self.path)[1] == "gzip":
            self.send_header("Content-Encoding", "gzip")
        super().end_headers()


class _Compressing(_Host):
    def send_head(self) -> io.BytesIO | BinaryIO | None:
        path = Path(self.translate_path(self.path))
        path = path / "index.html" if path.is_dir() else path
        if not path.is_file():
            return super().send_head()
        content = gzip.compress(path.read_bytes(), 1)
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(path))
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        return io.BytesIO(content)


@contextmanager
def serving(folder: Path, host: str = "plain") -> Iterator[str]:
    """Hands out a folder while the block runs, and gives its address."""
    handler = {"plain": _Host, "encoding": _Encoding, "compressing": _Compressing}[host]
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(handler, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
