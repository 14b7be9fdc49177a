"""The routes as pages use them, and as nobody else may: by other sites, with nonsense, cut off in the middle."""

from __future__ import annotations

import io
import json
import shutil
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.web.conftest import Answer, Server
from transfer_core.data import scanning
from transfer_core.data.project import Project, list_projects
from transfer_core.places import home
from transfer_core.web import access, arrivals, uploads


def picture(value: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), (value, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrivals, "QUIET", 0.3)


def received(answer: Answer) -> int:
    assert answer.body == b"", "which would take another 40 ms"
    return int(answer.headers[uploads.RECEIVED])


def eventually(condition: Callable[[], Any], patience: float = 30.0) -> Any:
    deadline = time.monotonic() + patience
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
    return found


def test_a_folder_becomes_a_project_that_is_looked_through(server: Server) -> None:
    key = server.ask("begin", {"name": "pets"}).data["project"]
    assert key == "pets"
    files = [[f"pets/{label}/{n}.png", len(picture(n)), 1_700_000_000_000 + n] for label in ("cat", "dog") for n in range(3)]
    assert server.ask("have", {"project": key, "door": "uploads", "files": files}).data == {"have": []}
    for n, (path, _size, modified) in enumerate(files):
        answer = server.put(picture(n % 3), project=key, door="uploads", path=path, modified=modified, offset=0)
        assert answer.status == 204 and received(answer) == len(picture(n % 3))
    assert server.ask("have", {"project": key, "door": "uploads", "files": files}).data == {"have": [0, 1, 2, 3, 4, 5]}
    assert server.ask("done", {"project": key}).status == 200
    project = Project.open(home() / key)
    eventually(lambda: scanning.state(project).status == "finished")
    assert {count.label: count.total for count in project.table.classes()} == {"cat": 3, "dog": 3}


def test_two_who_send_a_folder_of_one_name_get_two_projects(server: Server) -> None:
    """Loose pictures and cameras' folders are called alike everywhere; and whoever comes again goes on with their own."""
    keys = [server.ask("begin", {"name": "DCIM", "browser": browser}).data["project"] for browser in ("a", "b", "a")]
    assert keys[0] == keys[2] != keys[1]


def test_an_upload_of_nothing_leaves_no_project(server: Server) -> None:
    key = server.ask("begin", {"name": "nothing"}).data["project"]
    assert server.put(b"x", project=key, door="archives", path="a.zip").code == "broken-archive"
    assert server.ask("done", {"project": key}).status == 200 and list_projects() == []


def test_folders_in_folders_wait_for_a_choice(server: Server) -> None:
    """Nothing is looked through before somebody said what is a class."""
    key = server.ask("begin", {"name": "birds"}).data["project"]
    for n, path in enumerate(f"birds/{place}/{label}/{n}.png" for place in "ab" for label in "xy" for n in range(3)):
        server.put(picture(n), project=key, door="uploads", path=path)
    assert server.ask("done", {"project": key}).data == {"project": "birds", "unclear": "uploads/birds"}
    time.sleep(2 * arrivals.QUIET)
    assert scanning.state(Project.open(home() / key)).status == "none"


def test_pictures_of_a_tab_that_was_closed_are_looked_through(server: Server) -> None:
    """Nobody says that it was the last one."""
    key = server.ask("begin", {"name": "cups"}).data["project"]
    server.put(picture(1), project=key, door="camera", path="cup/hold1_0001.png")
    project = Project.open(home() / key)
    eventually(lambda: scanning.state(project).status == "finished" and project.table.count())


def test_a_pause_takes_nobody_s_choice(server: Server) -> None:
    """What came before it is looked through in the likeliest way, and when all is here, somebody is asked as ever."""
    key = server.ask("begin", {"name": "birds"}).data["project"]
    project = Project.open(home() / key)

    def send(place: str) -> None:
        for n, path in enumerate(f"birds/{place}/{label}/{n}.png" for label in "xy" for n in range(3)):
            server.put(picture(n), project=key, door="uploads", path=path)

    send("a")
    eventually(lambda: scanning.state(project).status == "finished")
    assert {count.label for count in project.table.classes()} == {"x", "y"}, "of one folder, what is in it tells the classes"
    send("b")
    assert server.ask("done", {"project": key}).data == {"project": "birds", "unclear": "uploads/birds"}
    assert server.ask("done", {"project": key}).data == {"project": "birds", "unclear": None}, "and once is enough"


def test_pictures_that_come_during_a_scan_are_looked_through(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The scan at work may be past their folder."""
    key = server.ask("begin", {"name": "cups"}).data["project"]
    server.put(picture(1), project=key, door="added", path="cup/1.png")
    project, answered = Project.open(home() / key), []
    real = scanning.state

    def at_work_twice(asked: Project) -> scanning.ScanState:
        answered.append(asked)
        return scanning.ScanState("running") if len(answered) <= 2 else real(asked)

    monkeypatch.setattr(scanning, "state", at_work_twice)
    monkeypatch.setattr(arrivals, "POLL", 0.05)
    assert server.ask("done", {"project": key}).status == 200
    eventually(lambda: real(project).status == "finished")
    assert project.table.count() == 1


def test_a_large_file_goes_on_where_it_stopped(server: Server) -> None:
    key, data = server.ask("begin", {"name": "up"}).data["project"], picture(1) * 100
    about = ["up/cat/a.png", len(data), 5]
    parameters: dict[str, Any] = {"project": key, "door": "uploads", "path": about[0], "size": len(data), "modified": 5}
    assert received(server.put(data[:5000], **parameters, offset=0)) == 5000
    assert server.ask("offset", {"project": key, "door": "uploads", "file": about}).data == {"offset": 5000}
    wrong = server.put(data[4000:], **parameters, offset=4000)
    assert wrong.status == 409 and wrong.code == "other-offset"
    assert received(server.put(data[5000:], **parameters, offset=5000)) == len(data)
    assert (home() / key / "uploads" / "up" / "cat" / "a.png").read_bytes() == data
    assert received(server.put(data, **parameters, offset=0)) == len(data)
    assert len(list((home() / key / "uploads").rglob("*.png"))) == 1


def test_a_connection_that_breaks_leaves_what_came(server: Server) -> None:
    key, data = server.ask("begin", {"name": "up"}).data["project"], b"x" * 3_000_000
    head = f"PUT {uploads.PREFIX}/file?project={key}&door=added&path=cat/a.png&size={len(data)} HTTP/1.1\r\nContent-Length: {len(data)}\r\n"
    with socket.create_connection(("127.0.0.1", server.port)) as raw:
        raw.sendall((head + "".join(f"{name}: {value}\r\n" for name, value in server.headers().items()) + "\r\n").encode())
        raw.sendall(data[:2_000_000])
    question = {"project": key, "door": "added", "file": ["cat/a.png", len(data), 0]}
    eventually(lambda: server.ask("offset", question).data["offset"] == 2_000_000)
    assert not list((home() / key / "added").rglob("*.png")), "half a picture has no name"
    rest = server.put(data[2_000_000:], project=key, door="added", path="cat/a.png", size=len(data), offset=2_000_000)
    assert received(rest) == len(data) and (home() / key / "added" / "cat" / "a.png").read_bytes() == data


def test_the_memory_does_not_grow_with_the_file(server: Server) -> None:
    """Written as it comes: 200 MB pass through, a few at a time."""
    import psutil

    key, piece = server.ask("begin", {"name": "up"}).data["project"], bytes(2**20)
    size = 200 * len(piece)
    head = f"PUT {uploads.PREFIX}/file?project={key}&door=added&path=cat/a.bmp&size={size} HTTP/1.1\r\nContent-Length: {size}\r\n"
    before = psutil.Process().memory_info().rss
    most = 0
    with socket.create_connection(("127.0.0.1", server.port)) as raw:
        raw.sendall((head + "".join(f"{name}: {value}\r\n" for name, value in server.headers().items()) + "\r\n").encode())
        for _ in range(200):
            raw.sendall(piece)
            most = max(most, psutil.Process().memory_info().rss - before)
        assert b"204 No Content" in raw.recv(1000)
    assert (home() / key / "added" / "cat" / "a.bmp").stat().st_size == size
    assert most < 40 * 2**20


def without(headers: dict[str, str], name: str) -> dict[str, str]:
    return {key: value for key, value in headers.items() if key != name}


@pytest.mark.parametrize("route", ["begin", "have", "offset", "done", "file"])
def test_only_pages_of_ours_may_ask(server: Server, route: str) -> None:
    """Another site's page, a program without the token, a page that an earlier server gave: nothing happens for them."""
    ours = server.headers()
    for headers, code in (
        (without(ours, "Origin"), "foreign-origin"),
        (ours | {"Origin": "http://evil.example"}, "foreign-origin"),
        (ours | {"Origin": "null"}, "foreign-origin"),
        (ours | {"Origin": "http://localhost:1"}, "foreign-origin"),
        (without(ours, uploads.TOKEN), "stale-page"),
        (ours | {uploads.TOKEN: "x"}, "stale-page"),
    ):
        method = "PUT" if route == "file" else "POST"
        answer = server.request(method, f"{uploads.PREFIX}/{route}", b'{"name": "x"}', headers)
        assert answer.status == 403 and answer.code == code and "access-control-allow-origin" not in answer.headers
    assert not home().exists() or not list(home().glob("*/project.toml"))


def test_the_browser_s_question_before_is_not_answered(server: Server) -> None:
    """Of another site a browser asks first, because of the token's header: without a yes it sends nothing."""
    headers = {"Host": server.host, "Origin": "http://evil.example", "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": uploads.TOKEN}  # fmt: skip
    answer = server.request("OPTIONS", f"{uploads.PREFIX}/file", headers=headers)
    assert answer.status == 405 and "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    ("route", "question"),
    [
        ("begin", {}), ("begin", []), ("begin", {"name": 7}), ("begin", {"name": "  "}), ("begin", "x"),
        ("have", {"door": "uploads", "files": []}), ("have", {"project": "up", "door": "cellar", "files": []}),
        ("have", {"project": "up", "door": "uploads", "files": 3}), ("have", {"project": "up", "door": "uploads", "files": [["a"]]}),
        ("have", {"project": "up", "door": "uploads", "files": [["a/b.png", -1, 0]]}),
        ("have", {"project": "up", "door": "uploads", "files": [["a/b.png", 1e3, 0]]}),
        ("begin", {"name": "half \ud83d"}), ("begin", {"name": "up", "browser": 7}), ("begin", {"name": "up", "browser": "x" * 101}),
        ("have", {"project": "up", "door": "added", "files": [["\udc00/b.png", 1, 0]]}),
        ("offset", {"project": "up", "door": "added", "file": ["cat\ud83d/b.png", 1, 0]}),
        ("offset", {"project": "up", "door": "uploads"}), ("done", {"project": ["up"]}), ("done", {"project": ""}),
    ],
)  # fmt: skip
def test_nonsense_is_answered(server: Server, route: str, question: Any) -> None:
    server.ask("begin", {"name": "up"})
    answer = server.ask(route, question)
    assert answer.status == 400 and answer.code == "bad-request"


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"name": "' + b"x" * (5 * 2**20) + b'"}'])
def test_a_body_that_is_no_question_is_answered(server: Server, body: bytes) -> None:
    answer = server.request("POST", f"{uploads.PREFIX}/begin", body, server.headers())
    assert answer.status == 400 and answer.code == "bad-request"


@pytest.mark.parametrize(
    "parameters",
    [
        {"size": "x"},
        {"size": "-5"},
        {"offset": "-1"},
        {"offset": "x"},
        {"modified": "1e9"},
        {"door": "x"},
        {"path": ""},
        {"project": ""},
    ],
)
def test_a_file_with_nonsense_is_answered(server: Server, parameters: dict[str, str]) -> None:
    server.ask("begin", {"name": "up"})
    answer = server.put(b"x", **({"project": "up", "door": "added", "path": "cat/a.png"} | parameters))
    assert answer.status in (400, 409) and answer.code


def test_refusals_are_sentences(server: Server) -> None:
    key = server.ask("begin", {"name": "up"}).data["project"]
    for path, status in (("cat/a.exe", 415), ("a.png", 400)):
        answer = server.put(b"x", project=key, door="added", path=path)
        assert answer.status == status and answer.data["error"]["message"].endswith(".") and answer.data["error"]["fix"]
    answer = server.put(b"x", server.headers() | {uploads.LANGUAGE: "zh_CN"}, project=key, door="added", path="cat/a.exe")
    assert "图片" in answer.data["error"]["message"]


def test_more_than_announced_is_refused(server: Server) -> None:
    key = server.ask("begin", {"name": "up"}).data["project"]
    answer = server.put(b"x" * 100, project=key, door="added", path="cat/a.png", size=50)
    assert answer.code == "not-as-announced" and not list((home() / key).rglob("*.png"))


@pytest.mark.parametrize("key", ["nothing", "../up", "..", "/", "up\0", "x" * 5000])
def test_no_such_project(server: Server, key: str) -> None:
    server.ask("begin", {"name": "up"})
    answer = server.ask("done", {"project": key})
    assert answer.status == 400


def test_a_project_elsewhere_only_at_the_computer(server: Server, share: Callable[[], str], tmp_path: Path) -> None:
    """By its path it can be named by who sits there, and not by who came over the network."""
    elsewhere = Project.create("away", []).folder.rename(tmp_path / "away")
    assert server.ask("done", {"project": str(elsewhere)}).status == 200
    key = share()
    cookie = {"Cookie": f"{access.current().cookie}={json.dumps(key)}"}
    Project.create("up", [])
    assert server.ask("done", {"project": "up"}, **cookie).status == 200
    shutil.copy(elsewhere / "project.toml", home().parent)  # as if the home folder lay in a project
    for key in (
        "..",
        str(home() / ".."),
        str(elsewhere),
        "../away",
        "up/../up",
        "up/../../away",
        str(home() / "up" / ".." / ".." / "away"),
    ):
        answer = server.ask("done", {"project": key}, **cookie)
        assert answer.status == 400 and answer.code == "no-such-project", key
