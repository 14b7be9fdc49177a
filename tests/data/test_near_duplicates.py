"""Near-duplicates: copies are found whatever was done to them, other pictures are not taken for copies, new ones cost only themselves."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageEnhance

from transfer_core.data import near_candidates
from transfer_core.data.near_candidates import candidates, described
from transfer_core.data.near_duplicates import find_pairs
from transfer_core.data.near_likeness import likeness
from transfer_core.data.sample_set import make_sample_set
from transfer_core.images.decode import open_rgb
from transfer_core.images.fingerprint import LENGTH, NEED, fingerprint

Fingerprints = NDArray[np.uint8]


def scene(seed: int, size: tuple[int, int] = (320, 240)) -> Image.Image:
    """Soft ground and some forty shapes of all sizes: no two seeds alike."""
    random = np.random.default_rng(seed)
    width, height = size
    image = Image.fromarray(random.integers(60, 200, (5, 6, 3), dtype=np.uint8)).resize(size, Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(image)
    for _shape in range(40):
        x, y = random.uniform(0, width), random.uniform(0, height)
        radius = random.uniform(0.02, 0.15) * width
        colour = tuple(int(value) for value in random.integers(0, 256, 3))
        box = (x - radius, y - radius * random.uniform(0.4, 1), x + radius, y + radius * random.uniform(0.4, 1))
        (draw.ellipse if random.uniform() < 0.5 else draw.rectangle)(box, fill=colour)
    return image


def encoded(image: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")


def with_mark(image: Image.Image) -> Image.Image:
    """A date in the corner."""
    image = image.copy()
    ImageDraw.Draw(image).text((image.width - 70, image.height - 16), "2026-05-31", fill=(255, 200, 0))
    return image


COPIES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "quality 50": lambda image: encoded(image, 50),
    "half": lambda image: image.resize((image.width // 2, image.height // 2)),
    "twice": lambda image: image.resize((image.width * 2, image.height * 2), Image.Resampling.LANCZOS),
    "squeezed to a square": lambda image: image.resize((224, 224)),
    "85 % of each side, lower right": lambda image: image.crop(
        (int(0.15 * image.width), int(0.15 * image.height), image.width, image.height)
    ),
    "85 % of the height, top": lambda image: image.crop((0, 0, image.width, int(0.85 * image.height))),
    "turned left": lambda image: image.rotate(3, Image.Resampling.BICUBIC),
    "turned right, in a larger frame": lambda image: image.rotate(-3, Image.Resampling.BICUBIC, expand=True),
    "darker": lambda image: ImageEnhance.Brightness(image).enhance(0.8),
    "lighter": lambda image: ImageEnhance.Brightness(image).enhance(1.25),
    "grey": lambda image: image.convert("L").convert("RGB"),
    "with a date in the corner": with_mark,
}


@pytest.fixture(scope="module")
def scenes() -> Fingerprints:
    return np.stack([fingerprint(scene(seed)) for seed in range(60)])


@pytest.mark.parametrize("kind", list(COPIES))
def test_copies_are_found(scenes: Fingerprints, kind: str) -> None:
    """Of 20 copies among 60 pictures at least 19 are found, each with its original, and nothing else."""
    copies = np.stack([fingerprint(COPIES[kind](scene(seed))) for seed in range(20)])
    found = find_pairs(np.concatenate([scenes, copies]))
    wanted = {(seed, 60 + seed) for seed in range(20)}
    pairs = {(int(first), int(second)) for first, second in found.indices}
    assert pairs <= wanted and len(pairs) >= 19
    assert (found.similarity > 0.8).all() and (found.similarity <= 1).all()


def test_the_order_of_the_two_does_not_matter() -> None:
    """A part is looked for in the whole, whichever comes first: all 40 crops from the corners either way."""
    rows = []
    for seed in range(40):
        left, top = ((0, 0), (48, 0), (0, 36), (48, 36))[seed % 4]
        rows += [fingerprint(scene(seed)), fingerprint(scene(seed).crop((left, top, left + 272, top + 204)))]
    pairs = np.arange(80).reshape(-1, 2)
    assert likeness(np.stack(rows), pairs).copies.sum() >= 39
    assert likeness(np.stack(rows), pairs[:, ::-1]).copies.sum() >= 39


def changed_inside(image: Image.Image) -> Image.Image:
    """Something stands where nothing stood: not an edge, not a mark, about 2 % of the picture."""
    image = image.copy()
    ImageDraw.Draw(image).rectangle((150, 100, 195, 135), fill=(20, 20, 20), outline=(240, 240, 240), width=6)
    return image


def mirrored(image: Image.Image) -> Image.Image:
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


@pytest.mark.parametrize("change", [changed_inside, mirrored])
def test_what_shows_something_else_is_no_copy(change: Callable[[Image.Image], Image.Image]) -> None:
    """The same place with another thing in it is another picture, as is a mirror image."""
    rows = np.stack([fingerprint(image) for seed in range(12) for image in (scene(seed), change(scene(seed)))])
    assert len(find_pairs(rows).indices) == 0


def test_pictures_with_nothing_to_see_are_no_copies() -> None:
    """White ones, those of one colour, and those that only get lighter to one side: all of them would be alike."""
    slope = np.linspace(40, 200, 320).astype(np.uint8)
    images = [Image.new("RGB", (320, 240), colour) for colour in ("white", "white", "black", (90, 20, 160))]
    images += [
        Image.fromarray(np.broadcast_to(np.clip(slope.astype(int) + more, 0, 255).astype(np.uint8)[None, :, None], (240, 320, 3)))
        for more in (0, 5)
    ]
    images += [encoded(Image.new("RGB", (320, 240), (120, 130, 140)), quality) for quality in (30, 40)]
    assert len(find_pairs(np.stack([fingerprint(image) for image in images])).indices) == 0


def test_simple_things_alike_in_kind_are_no_copies() -> None:
    """A disc can be laid over any other: of 780 pairs in other places, of other sizes and colours, hardly any is called one picture."""
    random = np.random.default_rng(5)
    rows = []
    for _disc in range(40):
        image = Image.new("RGB", (300, 300), "white")
        x, y, radius = random.uniform(110, 190), random.uniform(110, 190), random.uniform(60, 100)
        box = (x - radius, y - radius, x + radius, y + radius * random.uniform(0.7, 1))
        ImageDraw.Draw(image).ellipse(box, fill=tuple(int(value) for value in random.integers(0, 180, 3)))
        rows.append(fingerprint(image))
    assert len(find_pairs(np.stack(rows)).indices) <= 8


def test_the_sample_set_has_none(tmp_path: Path) -> None:
    """What the app draws for those without pictures: five classes of like scenes, no two of them copies."""
    folder = make_sample_set(tmp_path / "samples", per_class=12)
    rows = np.stack([fingerprint(open_rgb(path, need=NEED)) for path in sorted(folder.rglob("*.jpg"))])
    assert len(find_pairs(rows).indices) == 0


def test_new_ones_find_what_all_would(scenes: Fingerprints, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pairs among the new and with the old, in both directions, the same as when all are compared; pairs of old ones are not looked for."""
    crop = COPIES["85 % of each side, lower right"]
    extra = [
        fingerprint(crop(scene(3))),
        fingerprint(scene(100)),
        fingerprint(crop(scene(100))),
        fingerprint(COPIES["quality 50"](scene(5))),
    ]
    rows = np.concatenate([np.stack([scenes[5], *extra]), scenes])
    new = np.array([1, 2, 3, 4])
    everything = find_pairs(rows)
    found = find_pairs(rows, new)
    touched = np.isin(everything.indices, new).any(axis=1)
    assert everything.indices[touched].tolist() == found.indices.tolist() == [[0, 4], [1, 5 + 3], [2, 3], [4, 5 + 5]]
    assert np.array_equal(everything.similarity[touched], found.similarity)
    assert everything.indices[~touched].tolist() == [[0, 5 + 5]]
    # The cost: only what is new is looked for among all, and the old among what is new.
    asked: list[tuple[int, int]] = []
    search = near_candidates._most_similar
    monkeypatch.setattr(
        near_candidates, "_most_similar", lambda f, w, q, r: (asked.append((len(q), len(r))), search(f, w, q, r))[1]
    )
    candidates(rows, new, threads=1)
    assert asked == [(4, 65), (61, 4)]
    assert len(find_pairs(rows, np.empty(0, np.int64)).indices) == 0


def test_blocks_change_nothing(scenes: Fingerprints, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small blocks, more threads and a memory map give the pairs that one block gives, also where more are similar than are kept."""
    rows = np.repeat(scenes[:12], 5, axis=0)
    rows[::5, :64] //= 2
    whole = find_pairs(rows, threads=1)
    assert len(whole.indices) == 12 * 10
    for name, value in (("QUERIES", 7), ("REFERENCES", 11), ("CHUNK", 13)):
        monkeypatch.setattr(near_candidates, name, value)
    rows.tofile(tmp_path / "rows")
    told: list[tuple[int, int]] = []
    mapped = np.memmap(tmp_path / "rows", np.uint8, "r", shape=rows.shape)
    again = find_pairs(mapped, threads=3, progress=lambda done, total: told.append((done, total)))
    assert again.indices.tolist() == whole.indices.tolist() and np.allclose(again.similarity, whole.similarity, atol=1e-5)
    assert told == sorted(told) and told[0] == (7, 120) and told[-1] == (120, 120)
    monkeypatch.setattr(near_candidates, "MOST", 2)
    kept = candidates(rows, None, threads=1)
    assert len(kept) <= 2 * len(rows) and {int(pair[0]) // 5 == int(pair[1]) // 5 for pair in kept} == {True}


def test_it_can_be_stopped(scenes: Fingerprints, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(near_candidates, "QUERIES", 10)
    calls = 0

    def checkpoint() -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        find_pairs(scenes, threads=2, checkpoint=checkpoint)
    assert calls == 3


@pytest.mark.parametrize("count", [0, 1])
def test_none_and_one(count: int) -> None:
    found = find_pairs(np.zeros((count, LENGTH), np.uint8))
    assert found.indices.shape == (0, 2) and found.similarity.shape == (0,)
    assert likeness(np.zeros((count, LENGTH), np.uint8), np.empty((0, 2), np.int64)).coarse.shape == (0,)


def test_a_part_is_described_as_it_would_be_alone() -> None:
    """The view of a tenth less is nearly the whole of the picture cut so, and much less that of the picture itself."""
    picture = scene(1, (640, 640))
    cut = described(fingerprint(picture.crop((0, 64, 576, 640)))[None])
    views = described(fingerprint(picture)[None])
    similar = (views @ cut[0, 0])[:, 0]
    assert near_candidates.VIEWS[int(similar.argmax())] == (3, 1), "down: the last 90 %, along: the first"
    assert similar.max() > 0.99 > 0.95 > similar[0]


def test_real_photographs(shared: Path) -> None:
    """Forty flowers, each cut, turned, lit, resized and encoded again at once: nearly all are found among all flowers, and nothing else."""
    from benchmarks.near_duplicates import all_of_it

    paths = sorted((shared / "data" / "flowers5").rglob("*.jpg"))
    rows = [fingerprint(open_rgb(path, need=NEED)) for path in paths]
    copies = [
        fingerprint(all_of_it(open_rgb(path), np.random.default_rng(number))) for number, path in enumerate(paths[::9][:40])
    ]
    found = {(int(first), int(second)) for first, second in find_pairs(np.stack(rows + copies)).indices}
    wanted = {(9 * number, len(rows) + number) for number in range(len(copies))}
    assert found <= wanted and len(found) >= 0.9 * len(wanted)
