"""`app`: the page server as it is, with a stand-in for the pages."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from transfer_core.cli import app, server
from transfer_core.data.project import Project
from transfer_core.errors import TransferError
from transfer_core.runs import queue
from transfer_core.runs.folder import create_run, read_state
from transfer_core.training.settings import RunSettings

Command = Callable[..., subprocess.Popen[str]]


@pytest.fixture(autouse=True)
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "page" / "app.py"
    file.parent.mkdir()
    file.write_text("import streamlit\nstreamlit.write('hello')\n")
    monkeypatch.setenv("FAKE_PAGE", str(file))
    return file


@pytest.fixture
def begun(command: Command) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Begins `app --no-browser`; what is left is ended after the test."""
    processes: list[subprocess.Popen[str]] = []

    def begin(*arguments: str | Path) -> subprocess.Popen[str]:
        processes.append(command("app", "--no-browser", *arguments))
        return processes[-1]

    yield begin
    for process in processes:
        process.terminate()
        process.communicate(timeout=30)


def address(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    line = process.stdout.readline()
    assert "http://" in line, process.stderr and process.stderr.read()
    return line.split()[-1]


def noted() -> server.Server:
    found = server.running()
    assert found is not None
    return found


def test_opened_once_and_closed(begun: Command) -> None:
    first = begun()
    where = address(first)
    assert noted().address == where and noted().answers()
    second = begun()
    out, _ = second.communicate(timeout=60)
    assert second.returncode == 0 and out.split()[-1] == where
    pid = noted().pid
    first.send_signal(signal.SIGINT)
    _, err = first.communicate(timeout=30)
    assert first.returncode == 0 and "Traceback" not in err
    assert not psutil.pid_exists(pid) and server.running() is None and not server.state_file().exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_closed_terminal_closes_it(begun: Command, number: signal.Signals) -> None:
    process = begun()
    address(process)
    pid = noted().pid
    process.send_signal(number)
    process.communicate(timeout=30)
    assert not psutil.pid_exists(pid)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_request_that_python_drops_closes_it_too(number: signal.Signals) -> None:
    class Cleared:
        def __del__(self) -> None:
            signal.raise_signal(number)

    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        with pytest.raises(KeyboardInterrupt), app._ending_like_an_interrupt() as asked:
            Cleared()  # what its end raises comes to nobody
            app._wait_for(process, asked)
        assert process.poll() is None


def test_one_that_was_killed_is_forgotten(begun: Command) -> None:
    first = begun()
    address(first)
    os.kill(noted().pid, signal.SIGKILL)
    _, err = first.communicate(timeout=30)
    assert first.returncode == 2 and "ended by itself" in err and "server.log" in err
    second = begun()
    address(second)
    assert noted().answers()


def test_project_port_and_who_may_ask(begun: Command, pictures: Path) -> None:
    project = Project.for_source(pictures)
    port = server.free_port("localhost")
    where = address(begun(project.folder, "--port", str(port)))
    assert where.startswith(f"http://localhost:{port}/Data?project=%2F") and where.endswith(project.folder.name)
    bound = {
        entry.laddr.ip for entry in psutil.Process(noted().pid).net_connections("inet") if entry.status == psutil.CONN_LISTEN
    }
    assert bound <= {"127.0.0.1", "::1"}
    for host, status in (("localhost", 101), ("evil.example", 403)):
        connection = http.client.HTTPConnection("localhost", port, timeout=10)
        connection.request("GET", "/_stcore/stream", headers={"Host": host, "Connection": "Upgrade", "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="})  # fmt: skip
        assert connection.getresponse().status == status, host
        connection.close()


def test_a_page_that_can_not_be_served(begun: Command, page: Path) -> None:
    page.unlink()
    process = begun()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2 and "did not come up" in err and server.running() is None


def test_a_port_in_use(begun: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        process = begun("--port", str(other.getsockname()[1]))
        _, err = process.communicate(timeout=60)
        assert process.returncode == 2 and "in use" in err
        assert server.is_free("localhost", other.getsockname()[1]) is False


def test_a_host_that_is_none_of_ours(begun: Command) -> None:
    for host in ("203.0.113.7", "no-such-host.invalid"):
        with pytest.raises(TransferError) as caught:
            server.is_free(host, 8501)
        assert caught.value.code == "host"


def test_no_such_project(begun: Command, tmp_path: Path) -> None:
    process = begun(tmp_path)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2 and "is not a project" in err


def test_on_a_network_it_warns(begun: Command) -> None:
    process = begun("--host", "0.0.0.0")
    assert address(process).startswith("http://localhost:")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert "no password" in err


def options(command: list[str], name: str) -> list[str]:
    return [command[place + 1] for place, part in enumerate(command) if part == f"--{name}"]


def test_the_names_that_may_be_asked_for(page: Path) -> None:
    local = server.server_command(page, "localhost", 8501)
    assert options(local, "server.allowedHosts") == ["localhost", "127.0.0.1"]
    assert options(local, "server.address") == ["localhost"] and options(local, "browser.gatherUsageStats") == ["false"]
    one = server.server_command(page, "192.168.1.7", 9000)
    assert options(one, "server.allowedHosts") == ["localhost", "127.0.0.1", "192.168.1.7"]
    assert "http://192.168.1.7:9000" in options(one, "server.corsAllowedOrigins")
    assert socket.gethostname().lower() in server.host_names("0.0.0.0")


@pytest.mark.parametrize(
    "text", ["", "{}", "[1]", '{"pid": 1}', '{"pid": "x", "create_time": 0, "host": "localhost", "port": 1}']
)
def test_a_broken_note_is_no_server(text: str) -> None:
    server.state_file().write_text(text)
    assert server.running() is None


def test_a_note_of_a_process_that_is_another_by_now() -> None:
    data: dict[str, Any] = {"pid": os.getpid(), "create_time": time.time() - 10**6, "host": "localhost", "port": 8501}
    server.state_file().write_text(json.dumps(data))
    assert server.running() is None


def test_the_browser_is_opened_only_where_there_is_a_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(app.webbrowser, "open", opened.append)
    monkeypatch.setattr(app.sys, "platform", "linux")
    there = server.Server(1, 0.0, "::1", 8501)
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    app._open(there, "/Data", no_browser=False)
    assert opened == []
    monkeypatch.setenv("DISPLAY", ":0")
    app._open(there, "/Data", no_browser=True)
    app._open(there, "/Data", no_browser=False)
    assert opened == ["http://localhost:8501/Data"]


def test_runs_that_wait_go_on_when_the_app_is_opened(begun: Callable[..., subprocess.Popen[str]], pictures: Path) -> None:
    run = create_run(Project.for_source(pictures), RunSettings(plan="custom", backbone="fake", epochs=1))
    queue.add(run)
    address(begun())
    deadline = time.monotonic() + 30
    while read_state(run).status != "finished" and time.monotonic() < deadline:
        time.sleep(0.05)
    assert read_state(run).status == "finished"
