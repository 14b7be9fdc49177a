"""Archives as an attacker or a broken disk would make them: refused whole with a sentence, nothing written outside, no hang, no flood."""

from __future__ import annotations

import gzip
import io
import os
import random
import shutil
import struct
import subprocess
import sys
import tarfile
import time
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.conftest import ROOT
from transfer_core.data import archives, zips
from transfer_core.data.archives import list_archive, unpack
from transfer_core.errors import StorageError, TransferError

MEGABYTE = 2**20
PICTURE = bytes(range(256)) * 8


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A project's folder, beside which nothing may appear."""
    folder = tmp_path / "home" / "project"
    folder.mkdir(parents=True)
    return folder


def zipped(file: Path, *names: str, data: bytes = PICTURE, packed: bool = True, attributes: int = 0) -> Path:
    """A zip of one picture and of files of these names, written by hand: a library would tidy the names up."""
    content, method = (shrunk(data), 8) if packed else (data, 0)
    body = local(b"cat/1.jpg", PICTURE, len(PICTURE), zlib.crc32(PICTURE), 0)
    listing = central(b"cat/1.jpg", PICTURE, len(PICTURE), zlib.crc32(PICTURE), 0, 0)
    for name in names:
        listing += central(name.encode(), content, len(data), zlib.crc32(data), method, len(body), attributes)
        body += local(name.encode(), content, len(data), zlib.crc32(data), method)
    file.write_bytes(body + listing + end(1 + len(names), len(listing), len(body)))
    return file


def local(name: bytes, content: bytes, size: int, crc: int, method: int = 8, flags: int = 0x800) -> bytes:
    return struct.pack("<4s5H3I2H", b"PK\3\4", 20, flags, method, 0, 33, crc, len(content), size, len(name), 0) + name + content


def central(
    name: bytes, content: bytes, size: int, crc: int, method: int, offset: int, attributes: int = 0, flags: int = 0x800
) -> bytes:
    head = struct.pack("<4s6H3I", b"PK\1\2", 0x314, 20, flags, method, 0, 33, crc, len(content), size)
    return head + struct.pack("<5H2I", len(name), 0, 0, 0, 0, attributes, offset) + name


def end(count: int, size: int, offset: int) -> bytes:
    return struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, count % 65536, count % 65536, size, offset, 0)


def shrunk(data: bytes) -> bytes:
    packer = zlib.compressobj(9, wbits=-15)
    return packer.compress(data) + packer.flush()


def refuse(file: Path, place: Path, code: str | None = "hostile-archive") -> TransferError:
    """Unpack, which must fail with a sentence and leave nothing anywhere."""
    into = place / "imports" / "x"
    before = everything(place.parents[1])
    with pytest.raises(TransferError) as caught:
        unpack(file, into)
    assert caught.value.message and caught.value.fix
    str(caught.value).encode()
    if code:
        assert caught.value.code == code, caught.value
    left = everything(place.parents[1]) - before
    assert not left - {place / "imports", place / "imports" / ".unpacking"}
    with pytest.raises(TransferError):
        list_archive(file)
    return caught.value


def everything(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


CLIMBING = [
    "../x.jpg",
    "cat/../../x.jpg",
    "..\\x.jpg",
    "cat\\..\\..\\x.jpg",
    "cat/.. /x.jpg",
    "cat/.../x.jpg",
    "..",
    "../",
    "cat/../",
]
ABSOLUTE = ["/etc/x.jpg", "\\x.jpg", "C:\\x.jpg", "c:x.jpg", "D:/x.jpg", "//server/share/x.jpg", "\\\\server\\share\\x.jpg"]
DEVICES = [
    "CON",
    "cat/nul.jpg",
    "Aux/1.jpg",
    "cat/COM1.jpg",
    "lpt9/1.jpg",
    "cat/con .jpg",
    "prn.tar.gz",
    "cat/COM¹.png",
    "CONIN$",
]


@pytest.mark.parametrize("name", [*CLIMBING, *ABSOLUTE, *DEVICES, "a/" * 40 + "x.jpg", "cat/x\0.jpg"])
def test_a_name_that_leads_elsewhere(name: str, tmp_path: Path, place: Path) -> None:
    """One such name, and nothing of the archive is taken, on whatever system: what is harmless here is not elsewhere."""
    refuse(zipped(tmp_path / "a.zip", name), place)


@pytest.mark.parametrize(
    "name",
    [
        "cat/2024-01-01 12:30.jpg",
        'cat/"quoted" <b>.jpg',
        "cat/ü 猫.jpg",
        "./cat/2.jpg",
        "cat//2.jpg",
        "dog\\2.jpg",
        "concert/1.jpg",
    ],
)
def test_a_name_that_is_only_odd(name: str, tmp_path: Path, place: Path) -> None:
    """Signs that some systems refuse are replaced, and the picture is taken."""
    assert unpack(zipped(tmp_path / "a.zip", name), place / "imports" / "x") == 2
    files = [path for path in (place / "imports" / "x").rglob("*") if path.is_file()]
    assert len(files) == 2 and not any(set('<>:"|?*\\') & set(path.name) for path in files)


@pytest.mark.parametrize("mode", [0o120777, 0o020644, 0o060644, 0o010644, 0o140644])
def test_what_is_neither_file_nor_folder(mode: int, tmp_path: Path, place: Path) -> None:
    """Links could lead out, devices and pipes could hang whoever reads them."""
    refuse(zipped(tmp_path / "a.zip", "cat/link.jpg", data=b"/etc/passwd", attributes=mode << 16), place)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_the_same_in_a_tar(kind: bytes, tmp_path: Path, place: Path) -> None:
    """A tar has more ways for it, hard links among them."""
    info = tarfile.TarInfo("cat/link.jpg")
    info.type, info.linkname = kind, "/etc/passwd"
    refuse(tarred(tmp_path / "a.tar.gz", info), place)


@pytest.mark.parametrize("name", ["../x.jpg", "/etc/x.jpg", "cat/nul", "c:/x", "cat/../../x"])
def test_a_name_in_a_tar(name: str, tmp_path: Path, place: Path) -> None:
    """The same checks, whatever the archive."""
    refuse(tarred(tmp_path / "a.tar", tarfile.TarInfo(name)), place)


def tarred(file: Path, *infos: tarfile.TarInfo, data: bytes = b"") -> Path:
    with tarfile.open(file, "w:gz" if file.suffix != ".tar" else "w") as archive:
        first = tarfile.TarInfo("cat/1.jpg")
        first.size = len(PICTURE)
        archive.addfile(first, io.BytesIO(PICTURE))
        for info in infos:
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return file


def test_a_note_that_is_said_to_be_huge(tmp_path: Path, place: Path) -> None:
    """A tar's long name of a gigabyte is not read into memory to see."""
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 2**30
    (tmp_path / "a.tar").write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(4096))
    with bounded():
        refuse(tmp_path / "a.tar", place, "broken-archive")


class bounded:
    """At most so much memory of Python's at once, and so much time."""

    def __init__(self, megabytes: float = 64, seconds: float = 20):
        self._megabytes, self._seconds = megabytes, seconds

    def __enter__(self) -> None:
        self._began = time.monotonic()
        tracemalloc.start()

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        if kind is None:
            assert peak < self._megabytes * MEGABYTE
            assert time.monotonic() - self._began < self._seconds


def test_a_bomb_by_ratio(tmp_path: Path, place: Path) -> None:
    """A hundred megabytes of nothing in a hundred kilobytes; seen before a byte of it is unpacked."""
    file = tmp_path / "a.zip"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("cat/1.bmp", "w") as entry:
        for _ in range(100):
            entry.write(bytes(MEGABYTE))
    with bounded(seconds=2):
        refuse(file, place, "archive-bomb")


def test_a_bomb_of_many(tmp_path: Path, place: Path) -> None:
    """Files each too small to be told by themselves."""
    content = shrunk(bytes(MEGABYTE))
    body, listing = b"", b""
    for number in range(80):
        name = f"cat/{number}.bmp".encode()
        crc = zlib.crc32(bytes(MEGABYTE))
        listing += central(name, content, MEGABYTE, crc, 8, len(body))
        body += local(name, content, MEGABYTE, crc)
    (tmp_path / "a.zip").write_bytes(body + listing + end(80, len(listing), len(body)))
    refuse(tmp_path / "a.zip", place, "archive-bomb")


def test_a_bomb_in_a_tar(tmp_path: Path, place: Path) -> None:
    """Its sizes are known only by unpacking, which ends as soon as it is plain what it is."""
    with gzip.open(tmp_path / "a.tar.gz", "wb") as file:
        info = tarfile.TarInfo("cat/1.bmp")
        info.size = 200 * MEGABYTE
        file.write(info.tobuf())
        for _ in range(200):
            file.write(bytes(MEGABYTE))
    with bounded(megabytes=100):
        refuse(tmp_path / "a.tar.gz", place, "archive-bomb")


def test_a_bomb_by_count(tmp_path: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A million empty files in a list of 50 MB: refused without an object for each."""
    entry = central(b"a", b"", 0, 0, 0, 0)
    listing = entry * 1_000_000
    (tmp_path / "a.zip").write_bytes(listing + end(1_000_000, len(listing), 0))
    with bounded(megabytes=120):
        refuse(tmp_path / "a.zip", place, "archive-bomb")
    monkeypatch.setattr(archives, "MOST_FILES", 10)
    monkeypatch.setattr(zips, "MOST_FILES", 10)
    refuse(zipped(tmp_path / "b.zip", *(f"cat/{n}.jpg" for n in range(20, 40))), place, "archive-bomb")


def test_files_that_share_their_bytes(tmp_path: Path, place: Path) -> None:
    """The bomb that needs no nesting: many entries of the list point at one file, or into each other."""
    data = os.urandom(1000)
    content, crc = shrunk(data), zlib.crc32(data)
    body = local(b"a", content, len(data), crc)
    listing = b"".join(central(b"a", content, len(data), crc, 8, 0) for _ in range(5))
    (tmp_path / "a.zip").write_bytes(body + listing + end(5, len(listing), len(body)))
    refuse(tmp_path / "a.zip", place, "archive-bomb")


def test_an_archive_in_an_archive_stays_packed(tmp_path: Path, place: Path) -> None:
    """What would unfold for ever is a file like any other, and is told when the pictures are looked through."""
    inner = zipped(tmp_path / "inner.zip").read_bytes()
    assert unpack(zipped(tmp_path / "a.zip", "cat/more.zip", data=inner), place / "imports" / "x") == 2
    assert (place / "imports" / "x" / "cat" / "more.zip").read_bytes() == inner


@pytest.mark.parametrize(
    "names", [("cat/2.jpg", "CAT/2.JPG"), ("cat/2.jpg", "cat/2.jpg"), ("a", "a/b.jpg"), ("a/b.jpg", "A"), ("x?.jpg", "x*.jpg")]
)
def test_two_files_in_one_place(names: tuple[str, ...], tmp_path: Path, place: Path) -> None:
    """On systems that don't tell case apart, or after signs were replaced, one would overwrite the other."""
    refuse(zipped(tmp_path / "a.zip", *names), place)


def test_a_password(tmp_path: Path, place: Path) -> None:
    """Nothing asks for it: told what to do instead."""
    data = bytearray(zipped(tmp_path / "a.zip").read_bytes())
    for mark, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        data[data.index(mark) + offset] |= 1
    (tmp_path / "a.zip").write_bytes(data)
    assert "password" in refuse(tmp_path / "a.zip", place, "encrypted-archive").message


@pytest.mark.parametrize("method", [1, 9, 12, 14, 93, 99])
def test_an_unusual_method(method: int, tmp_path: Path, place: Path) -> None:
    """Methods that unpack without bounds, or not at all here."""
    body = local(b"a.jpg", PICTURE, len(PICTURE), 0, method)
    listing = central(b"a.jpg", PICTURE, len(PICTURE), 0, method, 0)
    (tmp_path / "a.zip").write_bytes(body + listing + end(1, len(listing), len(body)))
    refuse(tmp_path / "a.zip", place, None)


@pytest.mark.parametrize("said", [0, 10, len(PICTURE) - 1, len(PICTURE) + 1, 10**6])
def test_a_size_that_lies(said: int, tmp_path: Path, place: Path) -> None:
    """What holds more or less than it says is refused while it is read, and what was written of it is taken away."""
    content, crc = shrunk(PICTURE), zlib.crc32(PICTURE)
    body = local(b"a.jpg", content, said, crc)
    listing = central(b"a.jpg", content, said, crc, 8, 0)
    (tmp_path / "a.zip").write_bytes(body + listing + end(1, len(listing), len(body)))
    into = place / "imports" / "x"
    with pytest.raises(TransferError):
        unpack(tmp_path / "a.zip", into)
    assert [path.name for path in into.parent.iterdir()] == [".unpacking"]


def test_content_that_was_changed(tmp_path: Path, place: Path) -> None:
    """The checksum is looked at."""
    file = zipped(tmp_path / "a.zip", packed=False)
    file.write_bytes(file.read_bytes().replace(PICTURE[:50], PICTURE[1:51], 1))
    with pytest.raises(TransferError) as caught:
        unpack(file, place / "imports" / "x")
    assert caught.value.code == "broken-archive" and not (place / "imports" / "x").exists()


def test_names_in_the_encodings_of_old_programs(tmp_path: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """UTF-8 that is not marked as such is UTF-8; for readers of Chinese, the encoding of Chinese Windows is tried next."""

    def archive(name: bytes) -> Path:
        body, listing = local(name, b"x", 1, zlib.crc32(b"x"), 0, 0), central(name, b"x", 1, zlib.crc32(b"x"), 0, 0, flags=0)
        (tmp_path / "a.zip").write_bytes(body + listing + end(1, len(listing), len(body)))
        return tmp_path / "a.zip"

    assert list_archive(archive("向日葵/1.jpg".encode())) == ["向日葵/1.jpg"]
    monkeypatch.setenv("TRANSFER_STUDIO_LANGUAGE", "zh_CN")
    from transfer_core import i18n

    i18n.set_language("zh_CN")
    try:
        assert list_archive(archive("向日葵/1.jpg".encode("gb18030"))) == ["向日葵/1.jpg"]
    finally:
        i18n.set_language(None)
    assert unpack(archive(b"caf\x82/1.jpg"), place / "imports" / "x") == 1


def test_a_name_that_claims_to_be_utf8(tmp_path: Path, place: Path) -> None:
    body, listing = (
        local(b"\xff\xfe.jpg", b"x", 1, zlib.crc32(b"x"), 0),
        central(b"\xff\xfe.jpg", b"x", 1, zlib.crc32(b"x"), 0, 0),
    )
    (tmp_path / "a.zip").write_bytes(body + listing + end(1, len(listing), len(body)))
    refuse(tmp_path / "a.zip", place, None)


def test_a_disk_that_is_too_small(tmp_path: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Known before the first byte is written."""
    monkeypatch.setattr(archives, "KEPT_FREE", 2**62)
    with pytest.raises(StorageError) as caught:
        unpack(zipped(tmp_path / "a.zip"), place / "imports" / "x")
    assert caught.value.code == "disk-full" and not list((place / "imports").glob("*x*"))


def test_stopped_midway_nothing_is_half_there(tmp_path: Path, place: Path) -> None:
    """A stop between two blocks leaves nothing; what a killed one left is taken away by the next, which is then whole."""
    file = zipped(tmp_path / "a.zip", *(f"cat/{n}.jpg" for n in range(2, 20)))
    into = place / "imports" / "x"
    told: list[tuple[int, int]] = []

    def stop() -> None:
        if len(told) == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        unpack(file, into, lambda *counts: told.append(counts), stop)
    assert not into.exists() and [path.name for path in into.parent.iterdir()] == [".unpacking"]
    (into.parent / ".x.partial" / "cat").mkdir(parents=True)
    (into.parent / ".x.partial" / "cat" / "half.jpg").write_bytes(b"half")
    assert unpack(file, into, lambda *counts: told.append(counts)) == 19
    assert told[-1][0] == told[-1][1] == 19 * len(PICTURE)
    assert sorted(path.name for path in into.parent.iterdir()) == [".unpacking", "x"]
    assert not list(into.rglob("half.jpg"))
    with pytest.raises(TransferError):
        unpack(file, into)


def test_killed_midway_nothing_is_half_there(tmp_path: Path, place: Path) -> None:
    """A process that gets no chance to tidy up."""
    file = zipped(tmp_path / "a.zip", *(f"cat/{n}.jpg" for n in range(2, 40)))
    into = place / "imports" / "x"
    script = (
        "import os, pathlib, sys\nfrom transfer_core.data.archives import unpack\ncalls = []\n"
        "def die():\n    calls.append(1)\n    len(calls) == 20 and os.kill(os.getpid(), 9)\n"
        "unpack(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), None, die)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, file, into], env=os.environ | {"PYTHONPATH": str(ROOT)})
    assert done.returncode not in (0, 1, 2) and not into.exists()
    assert list((into.parent / ".x.partial").rglob("*.jpg")), "it was killed too early to show anything"
    assert unpack(file, into) == 39
    assert sorted(path.name for path in into.parent.iterdir()) == [".unpacking", "x"]


@pytest.mark.parametrize("data", [b"", b"PK", b"PK\5\6" + bytes(18), os.urandom(3000), b"\x1f\x8b" + bytes(50), bytes(10240)])
@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tgz"])
def test_no_archive_at_all(data: bytes, name: str, tmp_path: Path, place: Path) -> None:
    """Empty ones and what only has the name of one."""
    (tmp_path / name).write_bytes(data)
    refuse(tmp_path / name, place, None)


def test_an_archive_that_is_not_there(tmp_path: Path, place: Path) -> None:
    (tmp_path / "folder.zip").mkdir()
    for name in ("gone.zip", "folder.zip"):
        refuse(tmp_path / name, place, "unreadable-archive")


# Fuzzing: mutations of good archives, by a seeded generator, so that a case that fails can be made again.


def good_ones(folder: Path) -> list[bytes]:
    """Archives to be mutated: of both kinds, packed and not, with folders, long names and an empty file."""
    made = []
    for packed in (True, False):
        made.append(
            zipped(folder / "good.zip", "cat/ü.jpg", "dog/" + "x" * 100 + ".png", "empty.jpg", packed=packed).read_bytes()
        )
    for ending in (".tar", ".tar.gz"):
        made.append(tarred(folder / f"good{ending}", tarfile.TarInfo("dog/" + "y" * 150 + ".jpg"), data=PICTURE).read_bytes())
    return made


HOSTILE_WORDS = [
    b"../",
    b"..\\",
    b"/",
    b"C:",
    b"CON",
    b"\0",
    b"\xff",
    b"a/",
    b"PK\1\2",
    b"PK\3\4",
    b"PK\5\6",
    b"PK\6\7",
    b"PK\6\6",
]


def mutated(data: bytes, generator: random.Random) -> bytes:
    """`data` with one to four changes: bytes, numbers, words that mean something, parts cut out, doubled or moved."""
    changed = bytearray(data)
    for _ in range(generator.choice((1, 1, 1, 2, 3, 4))):
        if not changed:
            break
        place, kind = _spot(changed, generator), generator.randrange(8)
        if kind <= 1:
            changed[place] = generator.randrange(256)
        elif kind == 2:
            changed[place] ^= 1 << generator.randrange(8)
        elif kind == 3:
            number = generator.choice((0, 1, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 2**64 - 1, generator.getrandbits(32)))
            width = generator.choice((2, 4, 8))
            changed[place : place + width] = (number & (1 << 8 * width) - 1).to_bytes(width, "little")
        elif kind == 4:
            word = generator.choice(HOSTILE_WORDS)
            changed[place : place + len(word)] = word
        elif kind == 5:
            del changed[place : place + generator.choice((1, 4, 30, 500))]
        elif kind == 6:
            changed[place:place] = changed[place : place + generator.choice((1, 4, 46, 600))]
        else:
            del changed[place:]
    return bytes(changed)


def _spot(data: bytearray, generator: random.Random) -> int:
    """Anywhere, or more often near what steers a reader: headers, names and the list at the end."""
    if generator.random() < 0.3:
        return generator.randrange(len(data))
    mark = generator.choice((b"PK\1\2", b"PK\3\4", b"PK\5\6", b"ustar"))
    found = list(_all(data, mark))
    if not found:
        return generator.randrange(len(data))
    return min(len(data) - 1, max(0, generator.choice(found) + generator.randrange(-260 if mark == b"ustar" else 0, 90)))


def _all(data: bytearray, mark: bytes) -> Iterator[int]:
    place = data.find(mark)
    while place >= 0:
        yield place
        place = data.find(mark, place + 1)


def fuzz(folder: Path, place: Path, cases: int, seed: int) -> tuple[int, int]:
    """Unpack so many mutations; returns how many were taken and refused."""
    generator = random.Random(seed)
    good = good_ones(folder)
    endings = (".zip", ".zip", ".tar", ".tar.gz")
    taken = refused = 0
    imports = place / "imports"
    with bounded(megabytes=100, seconds=cases * 0.5):
        for case in range(cases):
            which = generator.randrange(len(good))
            file = folder / f"case{endings[which]}"
            data = mutated(good[which], generator)
            file.write_bytes(data if which < 3 or generator.random() < 0.5 else gzip.compress(mutated(good[2], generator), 1))
            into = imports / "x"
            began = time.monotonic()
            try:
                count = unpack(file, into)
                taken += 1
                files = [path for path in into.rglob("*") if not path.is_dir()]
                assert len(files) == count, f"case {case} of seed {seed}"
                assert all(path.resolve().is_relative_to(into.resolve()) and not path.is_symlink() for path in files)
                shutil.rmtree(into)
            except TransferError as error:
                refused += 1
                assert error.message and not into.exists()
            assert time.monotonic() - began < 5, f"case {case} of seed {seed}"
            assert {path.name for path in imports.iterdir()} == {".unpacking"}
            assert {path.name for path in place.parent.iterdir()} == {"project"}
            assert not [
                path for path in folder.iterdir() if path.name not in KNOWN and not path.name.startswith(("good", "case"))
            ]
    return taken, refused


KNOWN = ("home",)


def test_mutated_archives(tmp_path: Path, place: Path) -> None:
    """A few hundred at every test: none crashes, hangs or gets out, and both ends are met."""
    taken, refused = fuzz(tmp_path, place, 600, seed=20)
    assert taken > 30 and refused > 100


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_thousands_of_mutated_archives(seed: int, tmp_path: Path, place: Path) -> None:
    """TRANSFER_STUDIO_FUZZ says how many; ten times 2,000 without it."""
    cases = int(os.environ.get("TRANSFER_STUDIO_FUZZ", "20000")) // 10
    taken, refused = fuzz(tmp_path, place, cases, seed)
    assert taken + refused == cases


def test_the_checks_are_reached(tmp_path: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fuzzing means something: with the check of names taken out, it finds the way out."""
    unchecked: Callable[[str, Path], list[str]] = lambda name, archive: [part for part in name.split("/") if part]  # noqa: E731
    monkeypatch.setattr(archives, "name_parts", unchecked)
    monkeypatch.setattr(archives, "safe_part", lambda part: part)
    monkeypatch.setattr(archives, "ignored", lambda part: False)
    file = zipped(tmp_path / "a.zip", "../../../out.jpg")
    unpack(file, place / "imports" / "x")
    assert (place.parent / "out.jpg").exists()
