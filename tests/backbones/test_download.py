"""A download is whole and of the right hash or it is an error, and what broke off is carried on, not begun again."""

import errno
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.backbones.file_server import FileServer
from transfer_core.backbones import download as module
from transfer_core.backbones.download import CHUNK, by_hand, download, hash_in_name
from transfer_core.errors import StorageError, WeightsError

CONTENT = bytes(range(256)) * (5 * CHUNK // 256) + b"end"
HASH = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def server() -> Iterator[FileServer]:
    with FileServer(CONTENT).running() as running:
        yield running


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSES", (0.0, 0.0, 0.0))


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "net.pth"


def beside(target: Path) -> list[str]:
    return sorted(file.name for file in target.parent.glob("net*"))


def refusal(fetch: Callable[[], object]) -> WeightsError:
    with pytest.raises(WeightsError) as caught:
        fetch()
    assert caught.value.fix
    return caught.value


def stopping_after(count: int) -> Callable[[], bool]:
    answers = iter([False] * (count - 1))
    return lambda: next(answers, True)


@pytest.mark.parametrize("sized", [True, False])
def test_a_whole_file_arrives_with_progress(sized: bool, server: FileServer, target: Path) -> None:
    server.sized = sized
    told = list[tuple[int, int]]()
    digest = download(f"{server.address}/net", HASH[:8], target, lambda done, total: told.append((done, total)))
    assert digest == HASH
    assert target.read_bytes() == CONTENT
    assert told[0][0] == 0
    assert told[-1] == (len(CONTENT), len(CONTENT) if sized else 0)
    assert len(told) >= 5
    assert beside(target) == ["net.pth"]


def test_a_folder_serves_as_well(tmp_path: Path, target: Path) -> None:
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / "net.pth").write_bytes(CONTENT)
    assert download(str(tmp_path / "mirror" / "net.pth"), HASH[:8], target) == HASH
    target.unlink()
    assert refusal(lambda: download(str(tmp_path / "mirror" / "no.pth"), HASH[:8], target)).code == "weights-not-found"
    assert beside(target) == []


def test_a_copy_from_a_folder_is_carried_on_unless_the_file_changed(tmp_path: Path, target: Path) -> None:
    mirror = tmp_path / "mirror.pth"
    mirror.write_bytes(CONTENT)
    told = list[int]()
    refusal(lambda: download(str(mirror), HASH[:8], target, should_stop=stopping_after(2)))
    assert download(str(mirror), HASH[:8], target, lambda done, total: told.append(done)) == HASH
    assert told[0] == 2 * CHUNK
    refusal(lambda: download(str(mirror), HASH[:8], target, should_stop=stopping_after(2)))
    mirror.write_bytes(CONTENT[::-1])
    os.utime(mirror, (1, 1))
    assert download(str(mirror), "", target) == hashlib.sha256(CONTENT[::-1]).hexdigest()


def test_a_dropped_connection_is_taken_up_where_it_broke(server: FileServer, target: Path) -> None:
    """Within one call; only the rest is sent again, and the hash is that of the whole."""
    server.drops_after = [2 * CHUNK, CHUNK]
    assert download(f"{server.address}/net", HASH[:8], target) == HASH
    assert target.read_bytes() == CONTENT
    assert server.ranges_asked == [None, f"bytes={2 * CHUNK}-", f"bytes={3 * CHUNK}-"]
    assert server.sent == [2 * CHUNK, CHUNK, len(CONTENT) - 3 * CHUNK]
    assert beside(target) == ["net.pth"]


def test_a_connection_that_keeps_dropping_is_an_error_and_carried_on_by_the_next_call(server: FileServer, target: Path) -> None:
    server.drops_after = [CHUNK, 0, 0, 0]
    error = refusal(lambda: download(f"{server.address}/net", HASH[:8], target))
    assert error.code == "weights-truncated"
    assert f"{CHUNK} of {len(CONTENT)} bytes" in error.message
    assert "goes on from where it broke off" in (error.fix or "")
    assert beside(target) == ["net.pth.partial", "net.pth.partial.json"]
    assert download(f"{server.address}/net", HASH[:8], target) == HASH
    assert server.sent == [CHUNK, 0, 0, 0, len(CONTENT) - CHUNK]
    assert beside(target) == ["net.pth"]


def test_as_long_as_it_gets_further_it_goes_on(server: FileServer, target: Path) -> None:
    """A line that drops every few megabytes is slow, not broken."""
    server.drops_after = [CHUNK] * 5
    assert download(f"{server.address}/net", HASH[:8], target) == HASH
    assert len(server.sent) == 6


def test_a_server_without_parts_starts_over(server: FileServer, target: Path) -> None:
    server.ranges = False
    server.drops_after = [3 * CHUNK]
    assert download(f"{server.address}/net", HASH[:8], target) == HASH
    assert target.read_bytes() == CONTENT
    assert server.sent == [3 * CHUNK, len(CONTENT)]


def test_without_anything_to_know_the_file_by_it_starts_over(server: FileServer, target: Path) -> None:
    """And nothing is kept that can't be used: the space is the user's."""
    server.validators = False
    server.drops_after = [CHUNK] * 4
    error = refusal(lambda: download(f"{server.address}/net", HASH[:8], target))
    assert error.code == "weights-truncated"
    assert server.ranges_asked == [None] * 4
    assert beside(target) == []
    assert download(f"{server.address}/net", HASH[:8], target) == HASH


def test_a_stopped_download_is_carried_on(server: FileServer, target: Path) -> None:
    error = refusal(lambda: download(f"{server.address}/net", HASH[:8], target, should_stop=stopping_after(2)))
    assert error.code == "stopped"
    assert "goes on from there" in (error.fix or "")
    assert (target.parent / "net.pth.partial").stat().st_size == 2 * CHUNK
    told = list[int]()
    assert download(f"{server.address}/net", HASH[:8], target, lambda done, total: told.append(done)) == HASH
    assert told[0] == 2 * CHUNK
    assert server.sent[-1] == len(CONTENT) - 2 * CHUNK


def test_a_killed_process_leaves_what_the_next_one_needs(server: FileServer, target: Path) -> None:
    arrived = 3 * CHUNK
    code = (
        "import sys; from pathlib import Path; from transfer_core.backbones.download import download\n"
        "def told(done, total):\n    if done >= int(sys.argv[3]): print('here', flush=True); sys.stdin.read()\n"
        "download(sys.argv[1], '', Path(sys.argv[2]), told)"
    )
    arguments = [sys.executable, "-c", code, f"{server.address}/net", str(target), str(arrived)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ) as process:
        assert process.stdout and process.stdout.readline() == b"here\n"
        process.kill()
    assert download(f"{server.address}/net", HASH[:8], target) == HASH
    assert server.sent[-1] == len(CONTENT) - arrived


def test_a_file_that_changed_between_is_fetched_anew(server: FileServer, target: Path) -> None:
    """The server is asked for the rest only if it is of the same file: no mixture of two can come about."""
    refusal(lambda: download(f"{server.address}/net", "", target, should_stop=stopping_after(2)))
    server.content = CONTENT[::-1]
    assert download(f"{server.address}/net", "", target) == hashlib.sha256(CONTENT[::-1]).hexdigest()
    assert target.read_bytes() == CONTENT[::-1]
    assert server.ranges_asked[-1] == f"bytes={2 * CHUNK}-" and server.sent[-1] == len(CONTENT)


def test_another_address_starts_over(server: FileServer, target: Path) -> None:
    refusal(lambda: download(f"{server.address}/net", "", target, should_stop=stopping_after(2)))
    assert download(f"{server.address}/other", HASH[:8], target) == HASH
    assert server.ranges_asked == [None, None]


@pytest.mark.parametrize("record", ["", "{}", "[1]", '{"address": 1, "validator": 2, "size": "x"}'])
def test_a_partial_that_nothing_is_known_of_starts_over(record: str, server: FileServer, target: Path) -> None:
    (target.parent / "net.pth.partial").write_bytes(b"?" * 1000)
    (target.parent / "net.pth.partial.json").write_text(record)
    assert download(f"{server.address}/net", HASH[:8], target) == HASH
    assert server.ranges_asked == [None]


def test_a_partial_of_wrong_bytes_is_found_by_the_hash_and_thrown_away(server: FileServer, target: Path) -> None:
    """The hash is of the whole file, however it came together."""
    refusal(lambda: download(f"{server.address}/net", "", target, should_stop=stopping_after(2)))
    partial = target.parent / "net.pth.partial"
    partial.write_bytes(b"?" * partial.stat().st_size)
    assert refusal(lambda: download(f"{server.address}/net", HASH[:8], target)).code == "weights-hash"
    assert beside(target) == []
    assert download(f"{server.address}/net", HASH[:8], target) == HASH


@pytest.mark.parametrize("extra", [b"", b"more"])
def test_a_partial_that_lacks_only_its_name(extra: bytes, server: FileServer, target: Path) -> None:
    """As after a crash between the last byte and the renaming; one that is too long is no use."""
    (target.parent / "net.pth.partial").write_bytes(CONTENT + extra)
    record = {"address": f"{server.address}/net", "validator": server.tag, "size": len(CONTENT)}
    (target.parent / "net.pth.partial.json").write_text(json.dumps(record))
    assert download(f"{server.address}/net", HASH[:8], target) == HASH
    assert target.read_bytes() == CONTENT
    assert len(server.sent) == (1 if extra else 0)


def test_a_part_that_the_server_refuses_is_asked_for_as_a_whole(server: FileServer, target: Path) -> None:
    server.sized = False
    refusal(lambda: download(f"{server.address}/net", "", target, should_stop=stopping_after(4)))
    server.content = CONTENT[:CHUNK]
    record = target.parent / "net.pth.partial.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {"validator": server.tag}))
    assert download(f"{server.address}/net", "", target) == hashlib.sha256(CONTENT[:CHUNK]).hexdigest()


def test_another_file_is_refused(server: FileServer, target: Path) -> None:
    error = refusal(lambda: download(f"{server.address}/net", "0badcafe", target))
    assert error.code == "weights-hash"
    assert "0badcafe" in error.message
    assert HASH[:8] in error.message
    assert beside(target) == []


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_file_that_is_not_there_is_told_of(status: int, server: FileServer, target: Path) -> None:
    server.status = status
    error = refusal(lambda: download(f"{server.address}/net.pth", HASH[:8], target, published_at="https://example.org/net.pth"))
    assert error.code == "weights-not-found"
    assert f"{server.address}/net.pth" in error.message
    assert "transfer-studio weights add net.pth" in (error.fix or "") and "https://example.org/net.pth" in (error.fix or "")
    assert len(server.ranges_asked) == 1


def test_a_failing_server_is_like_none(server: FileServer, target: Path) -> None:
    server.status = 500
    error = refusal(lambda: download(f"{server.address}/net", HASH[:8], target))
    assert error.code == "weights-offline"
    assert "500" in error.message
    assert beside(target) == []


def test_without_a_network_the_file_to_bring_is_named(target: Path) -> None:
    with FileServer(CONTENT).running() as closed:
        nobody = f"{closed.address}/net.pth"
    error = refusal(lambda: download(nobody, HASH[:8], target))
    assert error.code == "weights-offline"
    assert by_hand("net.pth", nobody) in (error.fix or "")
    assert "Backbone page" in (error.fix or "")


def test_a_network_that_is_gone_keeps_what_is_here(target: Path) -> None:
    with FileServer(CONTENT).running() as closed:
        refusal(lambda: download(f"{closed.address}/net", HASH[:8], target, should_stop=stopping_after(2)))
    assert refusal(lambda: download(f"{closed.address}/net", HASH[:8], target)).code == "weights-offline"
    assert beside(target) == ["net.pth.partial", "net.pth.partial.json"]


def test_silence_has_an_end(server: FileServer, target: Path) -> None:
    server.before_piece = lambda sent: time.sleep(1)
    error = refusal(lambda: download(f"{server.address}/net", HASH[:8], target, timeout=0.1))
    assert error.code == "weights-offline"


def test_a_pause_between_tries_can_be_stopped(server: FileServer, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSES", (60.0, 60.0))
    server.drops_after = [CHUNK]
    assert refusal(lambda: download(f"{server.address}/net", "", target, should_stop=stopping_after(2))).code == "stopped"


def test_what_was_there_stays_when_the_download_fails(server: FileServer, target: Path) -> None:
    target.write_bytes(b"old")
    server.status = 500
    refusal(lambda: download(f"{server.address}/net", HASH[:8], target))
    assert target.read_bytes() == b"old"


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits are a Unix thing")
def test_a_full_disk_is_not_taken_for_a_missing_network(tmp_path: Path, target: Path) -> None:
    (tmp_path / "source.pth").write_bytes(CONTENT)
    code = (
        "import resource, sys; from pathlib import Path; from transfer_core.backbones.download import download; "
        "from transfer_core.errors import StorageError\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        f"try: download({str(tmp_path / 'source.pth')!r}, '', Path({str(target)!r}))\n"
        "except StorageError as error: print(error.code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "disk-full"
    assert beside(target) == []


def test_a_disk_that_fills_up_gets_its_space_back(server: FileServer, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from transfer_core.backbones.partial import DiskFile

    write, written = DiskFile.write, list[int]()

    def fills_up(self: DiskFile, chunk: bytes) -> None:
        if len(written) == 2:
            from transfer_core.errors import storage_error

            raise storage_error(OSError(errno.ENOSPC, "No space left on device"), self.path)
        written.append(len(chunk))
        write(self, chunk)

    monkeypatch.setattr(DiskFile, "write", fills_up)
    with pytest.raises(StorageError) as caught:
        download(f"{server.address}/net", HASH[:8], target)
    assert caught.value.code == "disk-full"
    assert beside(target) == []
    assert len(server.ranges_asked) == 1


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
