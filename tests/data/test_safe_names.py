"""Names from elsewhere become names for every file system, and ordinary ones stay as they are."""

from __future__ import annotations

import unicodedata

import pytest

from transfer_core.data.safe_names import MOST_BYTES, is_device, safe_part


@pytest.mark.parametrize("name", ["cat.jpg", "IMG_0001.JPG", "red rose (1).png", "猫.jpg", "a", "a-b_c.d.e", "ü.jpg", "x" * 100])
def test_ordinary_names_stay(name: str) -> None:
    assert safe_part(unicodedata.normalize("NFC", name)) == unicodedata.normalize("NFC", name)


@pytest.mark.parametrize(
    "name",
    [
        '<b>"x"|?*.jpg',
        "a:b",
        "a/b\\c",
        "tab\there",
        " padded ",
        "dots...",
        "",
        ".",
        "..",
        "x" * 500 + ".jpg",
        "长" * 300,
        "\udcff",
        "a\x7f",
    ],
)
def test_odd_names_become_ordinary(name: str) -> None:
    made = safe_part(name)
    assert made and not made.startswith((" ", ".")) and not made.endswith((" ", "."))
    assert not set('<>:"|?*/\\\0\t\x7f') & set(made)
    assert len(made.encode()) <= MOST_BYTES * 5 // 4
    assert safe_part(made) == made


@pytest.mark.parametrize(
    ("name", "device"),
    [
        ("CON", True),
        ("con.txt", True),
        ("Lpt1.tar.gz", True),
        ("aux ", True),
        ("COM²", True),
        ("console", False),
        ("com10", False),
        ("a.con", False),
    ],
)
def test_devices(name: str, device: bool) -> None:
    assert is_device(name) == device


def test_long_names_that_begin_alike_stay_apart() -> None:
    """Or an archive of them would be refused for two files in one place."""
    names = ["\u957f" * 60 + f" {number}.jpg" for number in range(3)]
    assert len({safe_part(name) for name in names}) == 3
    assert all(safe_part(name).endswith(".jpg") for name in names)
