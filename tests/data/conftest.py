"""Small pictures by name, for tests of what lies where."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

Draw = Callable[..., Path]


@pytest.fixture
def draw() -> Draw:
    """`draw(root, *names)` writes a picture of its own to each name; `draw(root, name, like=other)` writes a copy of `other`."""

    def write(root: Path, *names: str, like: str | None = None) -> Path:
        for name in names:
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if like is not None:
                path.write_bytes((root / like).read_bytes())
                continue
            values = hashlib.blake2b(str(path).encode("utf-8", "replace"), digest_size=48).digest()
            Image.frombytes("RGB", (4, 4), values).save(path, "PNG")
        return root

    return write
