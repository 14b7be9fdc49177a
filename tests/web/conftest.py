"""A real server with our routes and our guard in front of a page of one word, and requests as browsers and others send them."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from transfer_core.web import access, arrivals, guarding, uploads


@dataclass
class Answer:
    """What the server said."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def data(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The code of the error it tells of."""
        return str(self.data["error"]["code"])


class Server:
    """The server, and a page of its own that asks it things."""

    def __init__(self, port: int):
        self.port = port
        self.host = f"localhost:{port}"

    def headers(self) -> dict[str, str]:
        """What a page of ours sends along."""
        return {"Host": self.host, "Origin": f"http://{self.host}", uploads.TOKEN: access.current().token}

    def request(self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> Answer:
        """One request with just these headers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, headers={"Host": self.host} if headers is None else headers)
            answer = connection.getresponse()
            return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def ask(self, name: str, question: Any, **headers: str) -> Answer:
        """A question as our pages ask it."""
        return self.request("POST", f"{uploads.PREFIX}/{name}", json.dumps(question).encode(), self.headers() | headers)

    def put(self, body: bytes, headers: dict[str, str] | None = None, **parameters: Any) -> Answer:
        """A file, or a piece of it, as our pages send it."""
        address = f"{uploads.PREFIX}/file?{urlencode({'size': len(body)} | parameters)}"
        return self.request("PUT", address, body, self.headers() if headers is None else headers)


@pytest.fixture
def server(studio_home: Any) -> Iterator[Server]:
    """It runs for one test and knows itself as localhost."""

    async def word(request: Any) -> PlainTextResponse:
        return PlainTextResponse("a page")

    async def connection(socket: WebSocket) -> None:
        await socket.accept()
        await socket.close()

    app = Starlette(
        routes=[*uploads.routes(), WebSocketRoute("/_stcore/stream", connection), Route("/{rest:path}", word)],
        middleware=[Middleware(guarding.Guard)],
    )
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        before = access.current()
        access.begin(["localhost", "127.0.0.1"], port)
        running = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off", timeout_graceful_shutdown=1))
        thread = threading.Thread(target=running.run, args=([listening],), daemon=True)
        thread.start()
        deadline = time.monotonic() + 20
        while not running.started:
            assert time.monotonic() < deadline, "the server did not start"
            time.sleep(0.01)
        yield Server(port)
        running.should_exit = True
        thread.join(20)
    access._current = before
    arrivals._waiting.clear()


@pytest.fixture
def share(server: Server) -> Callable[[], str]:
    """Has the server shared from now on; gives the secret of its link."""

    def begin() -> str:
        access.begin(["localhost", "127.0.0.1"], server.port, key="a secret")
        return "a secret"

    return begin
