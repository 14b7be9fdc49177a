"""`app --share` as a server of its own: what its link opens, and what stays closed without it."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import ssl
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from transfer_core.cli import server
from transfer_core.web import access, sharing

ROOT = Path(__file__).parents[2]


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """The real app, shared."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "transfer_core.cli", "app", "--share", "--no-browser", "--port", str(port)]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)}
    )
    yield process
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)


def ask(address: str, path: str, cookie: str = "", host: str | None = None, **headers: str) -> http.client.HTTPResponse:
    """One request to a shared server; its body is read."""
    context = ssl.create_default_context(cafile=sharing.share_folder() / "certificate.pem")
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    parts = urlsplit(address)
    connection = http.client.HTTPSConnection("localhost", parts.port, timeout=20, context=context)
    connection.request("GET", path, headers={"Host": host or parts.netloc, "Cookie": cookie} | headers)
    answer = connection.getresponse()
    answer.body = answer.read()  # type: ignore[attr-defined]
    connection.close()
    return answer


WEBSOCKET = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


def test_the_link_and_nothing_else(shared: subprocess.Popen[str]) -> None:
    assert shared.stdout
    link = shared.stdout.readline().split()[-1]
    address, port = link.partition("/?")[0], urlsplit(link).port
    assert address == f"https://localhost:{port}" and server.running() is not None
    for path in ("/", "/Data", "/_stcore/health", "/_stcore/host-config", "/studio/uploads/begin", "/static/nothing.js"):
        answer = ask(address, path)
        assert answer.status == 403 and b"Open the whole link" in answer.body, path  # type: ignore[attr-defined]
    assert ask(address, "/_stcore/stream", **WEBSOCKET).status == 403
    opened = ask(address, link.removeprefix(address))
    cookie = str(opened.headers["set-cookie"]).split(";")[0]
    assert opened.status == 200 and cookie.startswith(f"__Host-transfer-studio-{port}=")
    assert ask(address, "/", cookie).status == 200 and b"<script" in ask(address, "/", cookie).body  # type: ignore[attr-defined]
    assert ask(address, "/_stcore/stream", cookie, **WEBSOCKET).status == 101
    other = f"{access.cookie_name(port + 1 if port else 0)}={cookie.partition('=')[2]}"
    assert ask(address, "/", other).status == 403, "the cookie of a server at another port"
    assert ask(address, "/", cookie, host="evil.example").status == 403
    assert ask(address, "/_stcore/stream", cookie, **WEBSOCKET, Origin="https://evil.example").status == 403
    with pytest.raises((OSError, http.client.HTTPException)):
        connection = http.client.HTTPConnection("localhost", port, timeout=5)
        connection.request("GET", "/")
        connection.getresponse()
    names = [name for name in sharing.network_addresses() if name in str(sharing.read().addresses)]
    for name in names:
        assert ask(address, "/", cookie, host=f"{name}:{port}").status == 200


def test_what_is_printed_and_kept(shared: subprocess.Popen[str]) -> None:
    """The address with the secret, the code, the fingerprint; the secret lies where only its owner looks, and a new start has a new one."""
    assert shared.stdout and shared.stderr
    link = shared.stdout.readline().split()[-1]
    ours = sharing.read()
    assert link.endswith(ours.key) and all(entry.endswith(f"/?key={ours.key}") for entry in ours.links)
    if os.name == "posix":
        assert stat.S_IMODE(sharing.share_folder().stat().st_mode) == 0o700
    command = [sys.executable, "-m", "transfer_core.cli", "app", "--no-browser"]
    second = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)})
    assert second.returncode == 0 and second.stdout.split()[-1] == link
    shared.send_signal(signal.SIGINT)
    _, told = shared.communicate(timeout=30)
    assert ours.links[0] in told and ours.fingerprint in told and "█" in told and "Traceback" not in told
    assert re.search("people you trust", told)
    before = ours.key
    assert sharing.begin(ours.addresses, ours.fingerprint).key != before
    assert not list((server.log_file()).read_text().splitlines()), "nothing was asked of the internet, and nothing went wrong"


def test_a_server_that_is_not_shared_does_not_become_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from transfer_core.cli import main

    here = server.Server(os.getpid(), 0.0, "localhost", 1)
    monkeypatch.setattr(server, "running", lambda: here)
    assert main(["app", "--share", "--no-browser"]) == 2
    assert "for this computer alone" in capsys.readouterr().err


def test_the_code_carries_the_link() -> None:
    """Dark on white also in a dark page."""
    picture = sharing.code_as_picture("https://192.0.2.1:8501/?key=x")
    assert picture.startswith("data:image/svg+xml") and "fff" in picture
    assert len(sharing.code_on_terminal("https://192.0.2.1:8501/?key=x").splitlines()) > 10
