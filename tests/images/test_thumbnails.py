from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from transfer_core.errors import ImageError, StorageError
from transfer_core.images.thumbnails import thumbnail

CONTENT = "ab" * 16


def test_a_thumbnail_is_made_once(tmp_path: Path) -> None:
    """The second look at a page costs no decoding: the picture isn't even opened."""
    path = tmp_path / "a.png"
    Image.new("RGBA", (400, 200), (200, 0, 0, 255)).save(path)
    made = thumbnail(path, CONTENT, tmp_path / "thumbnails", size=80)
    with Image.open(made) as image:
        assert (image.format, image.size) == ("JPEG", (80, 40))
    path.unlink()
    assert thumbnail(path, CONTENT, tmp_path / "thumbnails", size=80) == made
    assert [file.name for file in made.parent.iterdir()] == [made.name]


def test_a_strip_and_a_small_picture(tmp_path: Path) -> None:
    """Extreme shapes keep at least a pixel, and nothing is blown up."""
    for number, size in enumerate([(3000, 2), (20, 10)]):
        Image.new("RGB", size, (1, 2, 3)).save(tmp_path / "a.png")
        with Image.open(thumbnail(tmp_path / "a.png", f"{number:032}", tmp_path, size=80)) as image:
            assert max(image.size) <= 80 and min(image.size) >= 1


def test_what_can_not_be_is_a_sentence(tmp_path: Path) -> None:
    """A broken picture and a folder that can't be made are told, not raised as they come."""
    (tmp_path / "a.jpg").write_bytes(b"no picture")
    with pytest.raises(ImageError):
        thumbnail(tmp_path / "a.jpg", CONTENT, tmp_path / "thumbnails")
    Image.new("RGB", (8, 8)).save(tmp_path / "b.png")
    with pytest.raises(StorageError):
        thumbnail(tmp_path / "b.png", CONTENT, tmp_path / "a.jpg")
