"""Shortcuts: a class that alone has its size, shape, format or background is told once; where others share it, nothing is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from transfer_core.advice.checks.check import Finding

Look = Callable[..., dict[str, Finding]]


def labels(finding: Finding) -> list[str | None]:
    return [item.label for item in finding.items]


def resaved(folder: Path, change: Callable[[Image.Image], Image.Image], suffix: str = ".jpg") -> None:
    for path in sorted(folder.iterdir()):
        image = change(Image.open(path).convert("RGB"))
        path.unlink()
        image.save(path.with_suffix(suffix))


def various(folder: Path, seed: int = 0) -> None:
    """Give the pictures of a class sizes of their own."""
    generator = np.random.default_rng(seed)
    resaved(folder, lambda image: image.resize((int(generator.integers(60, 140)), int(generator.integers(60, 140)))))


def test_one_class_of_another_format(pictures: Callable[..., Path], look: Look) -> None:
    folder = pictures(count=20)
    resaved(folder / "square", lambda image: image, ".png")
    found = look(folder)
    assert list(found) == ["shortcut-format"] and labels(found["shortcut-format"]) == ["square"]
    assert len(found["shortcut-format"].values["examples"]) == 12


def test_of_two_classes_one_is_told(pictures: Callable[..., Path], look: Look) -> None:
    folder = pictures(("cat", "dog"), count=20)
    resaved(folder / "dog", lambda image: image.resize((80, 80)))
    found = look(folder)
    assert list(found) == ["shortcut-size"] and len(found["shortcut-size"].items) == 1


def test_one_class_much_larger(pictures: Callable[..., Path], look: Look) -> None:
    folder = pictures(count=20)
    for number, label in enumerate(("circle", "square", "triangle")):
        various(folder / label, number)
    generator = np.random.default_rng(7)
    resaved(folder / "circle", lambda image: image.resize((int(generator.integers(300, 400)), int(generator.integers(300, 400)))))
    found = look(folder)
    assert list(found) == ["shortcut-pixels"] and labels(found["shortcut-pixels"]) == ["circle"]


def test_one_class_upright(pictures: Callable[..., Path], look: Look) -> None:
    folder = pictures(count=24)
    generator = np.random.default_rng(7)

    def wide(image: Image.Image) -> Image.Image:
        side = int(generator.integers(60, 120))
        return image.resize((round(side * generator.uniform(1.2, 1.6)), side))

    for label in ("circle", "square", "triangle"):
        resaved(folder / label, wide)
    resaved(folder / "circle", lambda image: image.transpose(Image.Transpose.ROTATE_90))
    found = look(folder)
    assert list(found) == ["shortcut-shape"] and labels(found["shortcut-shape"]) == ["circle"]


def test_one_class_on_a_background_of_its_own(pictures: Callable[..., Path], look: Look) -> None:
    folder = pictures(count=20)
    generator = np.random.default_rng(3)
    borders = {
        f"{label}/{number:03}.jpg": tuple(
            generator.normal((40, 200, 60), 5) if label == "square" else generator.uniform(0, 255, 3)
        )
        for label in ("circle", "square", "triangle")
        for number in range(20)
    }
    found = look(folder, borders=borders)
    assert list(found) == ["shortcut-background"] and labels(found["shortcut-background"]) == ["square"]


def test_what_two_of_three_classes_share_is_none(pictures: Callable[..., Path], look: Look) -> None:
    folder = pictures(("bird", "cat", "cow", "dog"), count=20)
    for label in ("cat", "dog"):
        resaved(folder / label, lambda image: image, ".png")
    assert look(folder) == {}


def test_mixed_sizes_are_none(pictures: Callable[..., Path], look: Look) -> None:
    folder = pictures(count=20)
    for number, label in enumerate(("circle", "square", "triangle")):
        various(folder / label, number)
    assert look(folder) == {}
