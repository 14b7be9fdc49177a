"""Near-duplicates: how many planted copies are found, how many pairs are wrong, and what fingerprints and the search cost.

    python -m benchmarks.near_duplicates [--counts 10000 100000] [--show FOLDER]

A copy of each kind of every picture of flowers5 lies among the originals of all sets. A pair is wrong when it joins copies of two
originals, or two pictures of sets in which nothing was published twice. In plantvillage_apple and cifar10 things were: `--show`
writes those pairs side by side, for the eye. The search is timed on fingerprints made of two real ones each. Needs TRANSFER_STUDIO_SHARED.
"""

from __future__ import annotations

import argparse
import io
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import psutil
from numpy.typing import NDArray
from PIL import Image, ImageEnhance

from benchmarks.figures import SHARED, Report
from transfer_core.data.groups import Union
from transfer_core.data.near_duplicates import Pairs, find_pairs
from transfer_core.images.decode import open_rgb
from transfer_core.images.fingerprint import COLOUR_SIDE, LENGTH, NEED, SIDE, fingerprint

Change = Callable[[Image.Image, np.random.Generator], Image.Image]

RESAMPLING = (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS)


def encoded(image: Image.Image, quality: int) -> bytes:
    """`image` as a JPEG."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def resized(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """Half to twice the size."""
    factor = 2.0 ** random.uniform(-1, 1)
    size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    return image.resize(size, RESAMPLING[random.integers(len(RESAMPLING))])


def cropped(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """85 to 95 % of each side, anywhere."""
    width, height = (round(side * random.uniform(0.85, 0.95)) for side in image.size)
    left, top = random.integers(0, image.width - width + 1), random.integers(0, image.height - height + 1)
    return image.crop((int(left), int(top), int(left) + width, int(top) + height))


def rotated(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """Up to 3 degrees either way: in the same frame with black corners, in a larger one, or cut to where there is a picture."""
    angle = random.uniform(-3, 3)
    manner = random.integers(3)
    turned = image.rotate(angle, Image.Resampling.BICUBIC, expand=manner == 1)
    if manner < 2:
        return turned
    sine = np.sin(np.radians(abs(angle)))
    across, down = int(np.ceil(image.height * sine / 2)), int(np.ceil(image.width * sine / 2))
    return turned.crop((across, down, image.width - across, image.height - down))


def lit(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """0.8 to 1.25 times as bright."""
    return ImageEnhance.Brightness(image).enhance(float(0.8 * (1.25 / 0.8) ** random.uniform()))


def reencoded(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """A JPEG of quality 50 to 90."""
    return Image.open(io.BytesIO(encoded(image, int(random.integers(50, 91))))).convert("RGB")


def all_of_it(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """Turned, cut, lit, resized and encoded again: what becomes of a picture that is passed on."""
    for change in (rotated, cropped, lit, resized, reencoded):
        image = change(image, random)
    return image


def grey(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """Without colour."""
    return image.convert("L").convert("RGB")


# Each kind of copy, and the share that must be found.
KINDS: dict[str, tuple[Change, float | None]] = {
    "re-encoded, quality 50 to 90": (reencoded, 0.95),
    "resized, 0.5 to 2": (resized, 0.95),
    "cropped to 85 to 95 % of each side": (cropped, 0.85),
    "rotated up to 3 degrees": (rotated, 0.85),
    "brightness 0.8 to 1.25": (lit, 0.85),
    "all of these at once": (all_of_it, None),
    "without colour": (grey, None),
}


def planted(path: Path, kind: str, seed: int) -> bytes:
    """A copy of the picture at `path`, as a JPEG of quality 90."""
    change, _goal = KINDS[kind]
    with Image.open(path) as image:
        return encoded(change(image.convert("RGB"), np.random.default_rng(seed)), 90)


PLANTED_IN = "flowers5"
# Nothing in these was published twice; in the others, some things were.
WITHOUT_COPIES = ("flowers5", "hymenoptera", "sign_digits", "photos")
WITH_COPIES = ("plantvillage_apple", "cifar10")
WRONG_GOAL, FINGERPRINT_GOAL = 1.0, 1.0
SEARCH_GOAL = 300.0  # seconds for 100,000
NEW = 1000


def files(name: str) -> list[Path]:
    """The pictures of a set."""
    folder = SHARED / "photos" if name == "photos" else SHARED / "data" / name
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))


def prints(sources: Sequence[Path | bytes]) -> NDArray[np.uint8]:
    """The fingerprints of files or of their content."""
    return np.stack([fingerprint(open_rgb(source, need=NEED)) for source in sources])


def find_planted(report: Report, sets: dict[str, list[Path]], originals: dict[str, NDArray[np.uint8]]) -> None:
    """What is found of each kind of copy among all originals, and what of all kinds together is wrong."""
    among = np.concatenate(list(originals.values()))
    first = sum(len(originals[name]) for name in list(originals)[: list(originals).index(PLANTED_IN)])
    count = len(originals[PLANTED_IN])
    copies = {
        kind: prints([planted(path, kind, 1000 * number + place) for place, path in enumerate(sets[PLANTED_IN])])
        for number, kind in enumerate(KINDS)
    }
    for kind, (_change, goal) in KINDS.items():
        new = np.arange(len(among), len(among) + count)
        found = find_pairs(np.concatenate([among, copies[kind]]), new)
        right = found.indices[:, 1] - len(among) == found.indices[:, 0] - first
        report.add(f"found: {kind}", float(right.sum() / count), goal, at_least=True)
    together = np.concatenate([originals[PLANTED_IN], *copies.values()])
    indices = find_pairs(together).indices
    pairs, groups = indices % count, Union()
    for one, other in indices:
        groups.join(int(one), int(other))
    kept = sum(groups.find(place) == groups.find(place % count) for place in range(count, len(together)))
    report.add("in the group of the original, all kinds together", kept / (len(together) - count))
    report.add(
        "wrong pairs in 1,000: flowers5 with all its copies",
        1000 * float((pairs[:, 0] != pairs[:, 1]).sum()) / len(together),
        WRONG_GOAL,
    )


def find_published(
    report: Report, sets: dict[str, list[Path]], originals: dict[str, NDArray[np.uint8]], show: Path | None
) -> None:
    """Pairs in the sets as they were published."""
    for name in WITHOUT_COPIES + WITH_COPIES:
        found = find_pairs(originals[name])
        goal = WRONG_GOAL if name in WITHOUT_COPIES else None
        report.add(f"pairs in 1,000: {name}", 1000 * len(found.indices) / len(originals[name]), goal)
        report.details[name] = [
            [*(str(sets[name][place].relative_to(SHARED)) for place in pair), round(float(similarity), 3)]
            for pair, similarity in zip(found.indices, found.similarity, strict=True)
        ]
        if show and len(found.indices):
            side_by_side(sets[name], found).save(show / f"{name}.png")


def side_by_side(paths: Sequence[Path], pairs: Pairs, size: int = 120, across: int = 6) -> Image.Image:
    """A sheet of pairs."""
    sheet = Image.new("RGB", (across * (2 * size + 8), -(-len(pairs.indices) // across) * (size + 8)), "white")
    for place, pair in enumerate(pairs.indices):
        for side, index in enumerate(pair):
            left, top = place % across * (2 * size + 8) + side * size, place // across * (size + 8)
            sheet.paste(open_rgb(paths[index]).resize((size, size)), (left, top))
    return sheet


def time_fingerprints(report: Report, paths: Sequence[Path]) -> None:
    """Milliseconds of decoding and of fingerprints, one thread, files in the disk cache; the best of three rounds."""
    data = [path.read_bytes() for path in paths]
    decoding, making = [], []
    for _round in range(3):
        start = time.perf_counter()
        images = [open_rgb(each, need=NEED) for each in data]
        decoding.append(time.perf_counter() - start)
        start = time.perf_counter()
        for image in images:
            fingerprint(image)
        making.append(time.perf_counter() - start)
    report.add("decoding a photograph of 256 pixels", 1000 * min(decoding) / len(data), unit="ms")
    report.add("its fingerprint", 1000 * min(making) / len(data), FINGERPRINT_GOAL, unit="ms")


def made_up(real: NDArray[np.uint8], count: int, file: Path) -> NDArray[np.uint8]:
    """A memory map of `count` fingerprints, each of one real one laid over another that is mirrored."""
    random = np.random.default_rng(0)
    rows = np.memmap(file, np.uint8, "w+", shape=(count, LENGTH))
    grey = SIDE * SIDE
    mirror = np.concatenate(
        [
            np.arange(grey).reshape(SIDE, SIDE)[:, ::-1].ravel(),
            grey + np.arange(2 * COLOUR_SIDE**2).reshape(-1, COLOUR_SIDE)[:, ::-1].ravel(),
        ]
    )
    for start in range(0, count, 4096):
        size = min(4096, count - start)
        one, other = random.integers(0, len(real), (2, size))
        share = random.uniform(0.35, 0.65, (size, 1))
        rows[start : start + size] = real[one] * share + real[other][:, mirror] * (1 - share)
    rows.flush()
    return np.memmap(file, np.uint8, "r", shape=(count, LENGTH))


def time_search(report: Report, real: NDArray[np.uint8], counts: Sequence[int]) -> None:
    """Seconds of comparing everybody with everybody, and of 1,000 new ones with all; memory beside the map."""
    for count in counts:
        with tempfile.TemporaryDirectory() as folder:
            rows = made_up(real, count, Path(folder) / "rows")
            start, before = time.perf_counter(), time.process_time()
            find_pairs(rows)
            report.add(f"search in {count:,}", time.perf_counter() - start, SEARCH_GOAL if count == 100_000 else None, unit="s")
            report.add(f"search in {count:,}, time of one core", time.process_time() - before, unit="s")
            start = time.perf_counter()
            find_pairs(rows, np.arange(count - NEW, count))
            report.add(f"{NEW:,} new ones in {count:,}", time.perf_counter() - start, unit="s")
            memory = psutil.Process().memory_info()
            report.details[f"memory at {count}"] = {"own MB": round((memory.rss - memory.shared) / 1e6)}
            del rows


def main(arguments: list[str] | None = None) -> Report:
    """Measure, and keep the results."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--counts", nargs="*", type=int, default=[10_000, 100_000])
    parser.add_argument("--show", type=Path)
    options = parser.parse_args(arguments)
    report = Report("near_duplicates")
    if not (SHARED / "data").is_dir():
        print(f"skipped: {SHARED / 'data'} is not there; TRANSFER_STUDIO_SHARED says where to look")
        return report
    sets = {name: files(name) for name in WITHOUT_COPIES + WITH_COPIES}
    originals = {name: prints(paths) for name, paths in sets.items()}
    find_planted(report, sets, originals)
    find_published(report, sets, originals, options.show)
    time_fingerprints(report, sets["photos"])
    time_search(report, np.concatenate(list(originals.values())), options.counts)
    report.keep()
    return report


if __name__ == "__main__":
    main()
