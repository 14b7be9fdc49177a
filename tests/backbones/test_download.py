import hashlib
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from transfer_core.backbones.download import CHUNK, by_hand, download, hash_in_name
from transfer_core.errors import WeightsError

CONTENT = bytes(range(256)) * (3 * CHUNK // 256) + b"end"
HASH = hashlib.sha256(CONTENT).hexdigest()


class Server(BaseHTTPRequestHandler):
    """Answers `/whole`, `/unsized`, `/short`, `/slow`, and nothing else."""

    def do_GET(self) -> None:
        kind = self.path.strip("/").partition(".")[0]
        if kind not in ("whole", "unsized", "short", "slow", "broken"):
            self.send_error(500 if kind == "failing" else 404)
            return
        self.send_response(200)
        if kind != "unsized":
            self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        if kind == "slow":
            time.sleep(1)
        else:
            self.wfile.write(CONTENT[: len(CONTENT) // 2] if kind == "short" else CONTENT)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def address() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def refusal(fetch: Callable[[], object], folder: Path) -> WeightsError:
    with pytest.raises(WeightsError) as caught:
        fetch()
    assert caught.value.fix
    assert not list(folder.glob("net*")), "nothing is left behind"
    return caught.value


@pytest.mark.parametrize("kind", ["whole", "unsized"])
def test_a_whole_file_arrives_with_progress(kind: str, address: str, tmp_path: Path) -> None:
    target, told = tmp_path / "net.pth", list[tuple[int, int]]()
    digest = download(f"{address}/{kind}", HASH[:8], target, lambda done, total: told.append((done, total)))
    assert digest == HASH
    assert target.read_bytes() == CONTENT
    assert told[-1] == (len(CONTENT), len(CONTENT) if kind == "whole" else 0)
    assert len(told) >= 3
    assert [file.name for file in tmp_path.glob("net*")] == ["net.pth"]


def test_a_folder_serves_as_well(tmp_path: Path) -> None:
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / "net.pth").write_bytes(CONTENT)
    assert download(str(tmp_path / "mirror" / "net.pth"), HASH[:8], tmp_path / "net.pth") == HASH
    (tmp_path / "net.pth").unlink()
    error = refusal(lambda: download(str(tmp_path / "mirror" / "no.pth"), HASH[:8], tmp_path / "net.pth"), tmp_path)
    assert error.code == "weights-not-found"


def test_a_short_file_is_refused(address: str, tmp_path: Path) -> None:
    error = refusal(lambda: download(f"{address}/short", HASH[:8], tmp_path / "net.pth"), tmp_path)
    assert error.code == "weights-truncated"
    assert str(len(CONTENT)) in error.message
    assert "--weights net.pth" in (error.fix or "")


def test_another_file_is_refused(address: str, tmp_path: Path) -> None:
    error = refusal(lambda: download(f"{address}/whole", "0badcafe", tmp_path / "net.pth"), tmp_path)
    assert error.code == "weights-hash"
    assert "0badcafe" in error.message
    assert HASH[:8] in error.message


def test_a_file_that_is_not_there_is_told_of(address: str, tmp_path: Path) -> None:
    error = refusal(lambda: download(f"{address}/net.pth", HASH[:8], tmp_path / "net.pth"), tmp_path)
    assert error.code == "weights-not-found"
    assert f"{address}/net.pth" in error.message
    assert "--weights net.pth" in (error.fix or "")


def test_a_failing_server_is_like_none(address: str, tmp_path: Path) -> None:
    error = refusal(lambda: download(f"{address}/failing", HASH[:8], tmp_path / "net.pth"), tmp_path)
    assert error.code == "weights-offline"
    assert "500" in error.message


def test_without_a_network_the_file_to_bring_is_named(tmp_path: Path) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as closed:
        nobody = f"http://127.0.0.1:{closed.server_address[1]}/net.pth"
    error = refusal(lambda: download(nobody, HASH[:8], tmp_path / "net.pth"), tmp_path)
    assert error.code == "weights-offline"
    assert by_hand("net.pth", nobody) in (error.fix or "")


def test_silence_has_an_end(address: str, tmp_path: Path) -> None:
    error = refusal(lambda: download(f"{address}/slow", HASH[:8], tmp_path / "net.pth", timeout=0.1), tmp_path)
    assert error.code == "weights-offline"


def test_a_download_can_be_stopped(address: str, tmp_path: Path) -> None:
    calls = iter([False, True])
    error = refusal(
        lambda: download(f"{address}/whole", HASH[:8], tmp_path / "net.pth", should_stop=lambda: next(calls)), tmp_path
    )
    assert error.code == "stopped"


def test_what_was_there_stays_when_the_download_fails(address: str, tmp_path: Path) -> None:
    (tmp_path / "old.pth").write_bytes(b"old")
    with pytest.raises(WeightsError):
        download(f"{address}/short", HASH[:8], tmp_path / "old.pth")
    assert (tmp_path / "old.pth").read_bytes() == b"old"


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits are a Unix thing")
def test_a_full_disk_is_not_taken_for_a_missing_network(tmp_path: Path) -> None:
    (tmp_path / "source.pth").write_bytes(CONTENT)
    code = (
        "import resource, sys; from pathlib import Path; from transfer_core.backbones.download import download; "
        "from transfer_core.errors import StorageError\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        f"try: download({str(tmp_path / 'source.pth')!r}, '', Path({str(tmp_path / 'net.pth')!r}))\n"
        "except StorageError as error: print(error.code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "disk-full"
    assert not list(tmp_path.glob("net*"))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("resnet18-f37072fd.pth", "f37072fd"),
        ("mnasnet0.5_top1_67.823-3ffadce67e.pth", "3ffadce67e"),
        ("alexnet-owt-7be5be79.pth", "7be5be79"),
        ("mobilenet_v2-imagenet.pth", ""),
    ],
)
def test_the_hash_is_in_the_name(name: str, expected: str) -> None:
    assert hash_in_name(name) == expected
