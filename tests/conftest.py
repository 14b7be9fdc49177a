"""What all tests share: a home of their own, drawn pictures, and the folder of real data beside the repository."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

REPOSITORY = Path(__file__).parents[1]
COLOURS = ((200, 60, 50), (60, 150, 70), (60, 90, 200), (200, 170, 40))

Pictures = Callable[..., Path]


@pytest.fixture(autouse=True)
def studio_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Projects, weights and the trash of a test lie in its own folder; sentences are English."""
    home = tmp_path / "home"
    monkeypatch.setenv("TRANSFER_STUDIO_HOME", str(home))
    monkeypatch.delenv("TRANSFER_STUDIO_LANGUAGE", raising=False)
    return home


@pytest.fixture
def shared() -> Path:
    """Real pictures and weights: the folder that TRANSFER_STUDIO_SHARED names, else `shared` beside the repository."""
    folder = Path(os.environ.get("TRANSFER_STUDIO_SHARED") or REPOSITORY.parent / "shared")
    if not folder.is_dir():
        pytest.skip("the real pictures are not here; TRANSFER_STUDIO_SHARED says where to look for them")
    return folder


@pytest.fixture
def pictures(tmp_path: Path) -> Pictures:
    """Draws a folder of labelled pictures: `pictures(classes, count, size, under, seed)` gives its path.

    Each class is a coloured shape on noise, so that even a random network tells most of them apart; no two pictures are alike.
    """

    def draw(
        classes: Sequence[str] = ("circle", "square", "triangle"),
        count: int = 12,
        size: tuple[int, int] = (64, 48),
        under: Path | None = None,
        seed: int = 0,
    ) -> Path:
        folder = under or tmp_path / "pictures"
        generator = np.random.default_rng(seed)
        for number, label in enumerate(classes):
            (folder / label).mkdir(parents=True, exist_ok=True)
            for place in range(count):
                shape_picture(number, size, generator).save(folder / label / f"{place:03}.jpg", quality=85)
        return folder

    return draw


def shape_picture(kind: int, size: tuple[int, int], generator: np.random.Generator) -> Image.Image:
    """A shape in the colour of its kind, somewhere on a noisy ground."""
    width, height = size
    noise = generator.integers(70, 186, (height, width, 3), dtype=np.uint8)
    image = Image.fromarray(noise)
    radius = 0.3 * min(size)
    x, y = width / 2 + generator.uniform(-4, 4), height / 2 + generator.uniform(-4, 4)
    box = (x - radius, y - radius, x + radius, y + radius)
    colour = tuple(int(value) for value in np.clip(np.array(COLOURS[kind % len(COLOURS)]) + generator.integers(-15, 16, 3), 0, 255))
    draw = ImageDraw.Draw(image)
    if kind % 3 == 0:
        draw.ellipse(box, fill=colour)
    elif kind % 3 == 1:
        draw.rectangle(box, fill=colour)
    else:
        draw.polygon([(x, y - radius), (x + radius, y + radius), (x - radius, y + radius)], fill=colour)
    return image
