"""A server of files that can be told how to fail, and remembers what it was asked for and how much it sent."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PIECE = 1 << 16


@dataclass
class FileServer:
    """Serves `content` under any name that `names` allows."""

    content: bytes
    address: str = ""
    ranges: bool = True  # whether parts can be had
    sized: bool = True  # whether it says how long files are
    validators: bool = True  # whether it says ETag and Last-Modified
    status: int = 200
    drops_after: list[int] = field(default_factory=list)  # bytes, for each of the first answers
    before_piece: Callable[[int], object] = lambda sent: None
    ranges_asked: list[str | None] = field(default_factory=list)
    sent: list[int] = field(default_factory=list)

    @property
    def tag(self) -> str:
        return f'"{hashlib.sha256(self.content).hexdigest()[:8]}"'

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        asked, condition = handler.headers.get("Range"), handler.headers.get("If-Range")
        self.ranges_asked.append(asked)
        if self.status != 200:
            handler.send_error(self.status)
            return
        first = 0
        if asked and self.ranges and condition in (None, self.tag):
            first = int(asked.removeprefix("bytes=").removesuffix("-"))
            if first >= len(self.content):
                handler.send_error(416)
                return
        rest = self.content[first:]
        handler.send_response(206 if first else 200)
        if first:
            handler.send_header("Content-Range", f"bytes {first}-{len(self.content) - 1}/{len(self.content)}")
        if self.sized:
            handler.send_header("Content-Length", str(len(rest)))
        if self.validators:
            handler.send_header("ETag", self.tag)
        handler.end_headers()
        limit = self.drops_after.pop(0) if self.drops_after else len(rest)
        place = len(self.sent)
        self.sent.append(0)
        for start in range(0, min(limit, len(rest)), PIECE):
            self.before_piece(self.sent[place])
            piece = rest[start : min(start + PIECE, limit)]
            try:
                handler.wfile.write(piece)
            except OSError:
                return
            self.sent[place] += len(piece)

    @contextmanager
    def running(self) -> Iterator[FileServer]:
        """Serve until the block ends."""
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.answer(self)

            def log_message(self, format: str, *args: object) -> None:
                """Quiet."""

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
            thread = threading.Thread(target=listening.serve_forever, args=(0.01,), daemon=True)
            thread.start()
            self.address = f"http://127.0.0.1:{listening.server_address[1]}"
            yield self
            listening.shutdown()
