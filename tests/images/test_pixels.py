from __future__ import annotations

import hashlib
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from transfer_core.errors import StorageError
from transfer_core.images import pixels
from transfer_core.images.decode import open_rgb
from transfer_core.images.pixels import PixelMap, Source, decode_together
from transfer_core.images.view import View

VIEW = View(12, 16)


def source(path: Path) -> Source:
    return Source(hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest(), path)


@pytest.fixture
def sources(pictures) -> list[Source]:
    return [source(path) for path in sorted(pictures(classes=("a", "b"), count=5, size=(40, 30)).rglob("*.jpg"))]


def test_every_picture_is_there_as_the_view_shows_it(sources: list[Source], tmp_path: Path) -> None:
    """The map holds exactly what decoding and squaring one picture gives, under that picture's content."""
    store = PixelMap(tmp_path / "map", VIEW)
    told: list[tuple[int, int]] = []
    assert store.decode(sources, threads=2, progress=lambda done, total: told.append((done, total))) == []
    rows = store.rows()
    assert rows.shape == (10, 16, 16, 3) and rows.dtype == np.uint8
    for each in sources:
        row = rows[store.positions([each.content])[0]]
        assert np.array_equal(row, VIEW.square(open_rgb(each.path, need=16)))
    assert told == [(10, 10)]


def test_nothing_is_decoded_twice(sources: list[Source], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Copies of a picture are one row, and a second run decodes only what is new."""
    opened: list[Path] = []
    decode = pixels.open_rgb
    monkeypatch.setattr(pixels, "open_rgb", lambda path, need: (opened.append(path), decode(path, need))[1])
    copy = Source(sources[0].content, sources[0].path.with_name("copy.jpg"))
    copy.path.write_bytes(sources[0].path.read_bytes())
    PixelMap(tmp_path, VIEW).decode([*sources[:4], copy], threads=1)
    assert opened == [each.path for each in sources[:4]]
    again = PixelMap(tmp_path, VIEW)
    before = again.rows().copy()
    again.decode([copy, *sources], threads=1)
    assert opened == [each.path for each in sources]
    assert len(again) == 10
    assert np.array_equal(again.rows()[:4], before)


def test_a_broken_picture_is_told_and_costs_only_itself(sources: list[Source], tmp_path: Path) -> None:
    """One bad file among many: it comes back with its error, all others are in the map."""
    sources[3].path.write_bytes(sources[3].path.read_bytes()[:200])
    sources[7].path.unlink()
    store = PixelMap(tmp_path / "map", VIEW)
    failed = store.decode(sources, threads=2)
    assert [(failure, error.code) for failure, error in failed] == [(sources[3], "broken"), (sources[7], "missing")]
    assert store.missing(each.content for each in sources) == [sources[3].content, sources[7].content]


def test_chunks_keep_their_order(sources: list[Source], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Decoding ahead in threads changes neither the order of the rows nor what the progress says."""
    monkeypatch.setattr(pixels, "CHUNK", 3)
    told: list[int] = []
    store = PixelMap(tmp_path / "map", VIEW)
    store.decode(sources, threads=3, progress=lambda done, total: told.append(done))
    assert told == [3, 6, 9, 10]
    assert store.positions(each.content for each in sources).tolist() == list(range(10))


def test_stopped_between_chunks_what_is_done_stays(
    sources: list[Source], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stop request ends the pass; the chunks before it are kept, and the next run goes on from there."""
    monkeypatch.setattr(pixels, "CHUNK", 4)
    calls = []

    def checkpoint() -> None:
        calls.append(None)
        if len(calls) == 3:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        PixelMap(tmp_path / "map", VIEW).decode(sources, threads=1, checkpoint=checkpoint)
    store = PixelMap(tmp_path / "map", VIEW)
    assert len(store) == 8
    assert store.decode(sources, threads=1) == []
    assert store.positions(each.content for each in sources).tolist() == list(range(10))


def test_a_full_disk_ends_the_pass_with_a_sentence(
    sources: list[Source], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error comes out of the threads, the lock is free again, and afterwards the pass completes."""
    store = PixelMap(tmp_path / "map", VIEW)
    with monkeypatch.context() as patch:
        patch.setattr("os.write", lambda descriptor, data: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(StorageError) as caught:
            store.decode(sources, threads=2)
        assert caught.value.code == "disk-full"
    assert store.decode(sources, threads=2) == []
    assert len(PixelMap(tmp_path / "map", VIEW)) == 10


def test_two_runs_decode_into_one_map(sources: list[Source], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two at a time wait for each other and share the work: each picture is decoded by one of them."""
    opened: list[Path] = []
    decode = pixels.open_rgb
    monkeypatch.setattr(pixels, "open_rgb", lambda path, need: (opened.append(path), decode(path, need))[1])
    maps = [PixelMap(tmp_path / "map", VIEW) for _ in range(2)]
    threads = [threading.Thread(target=store.decode, args=(sources, 1)) for store in maps]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(opened) == sorted(each.path for each in sources)
    for store in maps:
        assert len(store) == 10


def test_pictures_of_all_kinds_share_a_map(tmp_path: Path) -> None:
    """Grey, transparent and tiny files become rows like any other."""
    images = {
        "g.png": Image.new("L", (9, 5), 77),
        "t.png": Image.new("RGBA", (30, 30), (0, 0, 0, 0)),
        "p.bmp": Image.new("1", (1, 1), 1),
    }
    for name, image in images.items():
        image.save(tmp_path / name)
    store = PixelMap(tmp_path / "map", VIEW)
    assert store.decode([source(tmp_path / name) for name in images], threads=1) == []
    assert [int(row.mean()) for row in store.rows()] == [77, 255, 255]


def test_together_is_as_one_by_one(sources: list[Source], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several views of large and small JPEGs, a turned one and a PNG: the same pixels, though a picture is decoded but once a scale."""
    noise = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    large = tmp_path / "large.jpg"
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.fromarray(noise).resize((1200, 900)).save(large, exif=turned)
    Image.fromarray(noise).save(tmp_path / "other.png")
    pictures = [*sources[:3], source(large), source(tmp_path / "other.png")]
    views = [View(60, 64), View(100, 104), View(230, 232)]
    alone = [PixelMap(tmp_path / "alone", view) for view in views]
    for store in alone:
        store.decode(pictures, threads=1)
    opened: list[str] = []
    decode = pixels.open_rgb
    monkeypatch.setattr(pixels, "open_rgb", lambda path, need: (opened.append(path.name), decode(path, need))[1])
    together = [PixelMap(tmp_path / "together", view) for view in views]
    # One of the maps has some already.
    together[1].decode(pictures[:1], threads=1)
    opened.clear()
    assert decode_together([(store, pictures) for store in together], threads=2) == []
    for one, other in zip(alone, together, strict=True):
        for each in pictures:
            assert np.array_equal(one.rows()[one.positions([each.content])[0]], other.rows()[other.positions([each.content])[0]])
    # Of 900 pixels a quarter is enough for 64 and 104, and not for 232.
    assert sorted(opened) == sorted([*(each.path.name for each in pictures), "large.jpg"])


def test_together_each_map_gets_only_what_it_asked_for(sources: list[Source], tmp_path: Path) -> None:
    """A view whose features are at hand needs no pixels; a broken picture is told once."""
    sources[1].path.write_bytes(b"\xff\xd8\xff broken")
    small, large = (PixelMap(tmp_path / "map", view) for view in (View(12, 16), View(20, 24)))
    told: list[tuple[int, int]] = []
    failed = decode_together(
        [(small, sources[:3]), (large, sources[1:6])], threads=1, progress=lambda done, total: told.append((done, total))
    )
    assert [each for each, _error in failed] == [sources[1]]
    assert (len(small), len(large)) == (2, 4)
    assert told == [(6, 6)]
