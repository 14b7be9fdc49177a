"""A pool of a few random tiles and cut-outs, and archives like those of npm and Debian, made here."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from transfer_core.backbones.starter.archives import Archive
from transfer_core.backbones.starter.pool import write_pool
from transfer_core.files import digest_of

COPYRIGHT = """Format: 1.0

Files: *
License: GPL-2

Files: images/land/*
License: public-domain

Files:
 images/land/*-by-sa*
 images/land/other*
License: CC-BY-SA-4.0

Files:
 images/land/sea*
License: public-domain
"""


@pytest.fixture
def pool_folder(tmp_path: Path) -> Path:
    """What gather writes, of random bytes: tiles of two photographs and one drawn picture, three cut-outs."""
    folder = tmp_path / "pool"
    generator = np.random.default_rng(0)
    tiles = generator.integers(0, 256, (5, 48, 48, 3), dtype=np.uint8)
    cutouts = generator.integers(0, 256, (3, 20, 20, 4), dtype=np.uint8)
    cutouts[..., 3] = 255
    write_pool(folder, list(tiles), list(cutouts), ["a", "b", "drawn 0"], [0, 0, 0, 1, 2], 2)
    return folder


def picture_bytes(size: tuple[int, int], colour: str, kind: str, mode: str = "RGB") -> bytes:
    """A picture of one colour as a file's bytes."""
    buffer = io.BytesIO()
    Image.new(mode, size, colour).save(buffer, kind)
    return buffer.getvalue()


def tar_of(files: dict[str, bytes], mode: str) -> bytes:
    """A tar archive with these files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:  # type: ignore[call-overload]
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def deb_of(files: dict[str, bytes]) -> bytes:
    """A Debian package with these files: an ar archive of three entries, the first of an odd length."""
    made = b"!<arch>\n"
    for name, data in (("debian-binary", b"2.0"), ("control.tar.xz", b""), ("data.tar.xz", tar_of(files, "w:xz"))):
        made += f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n".encode() + data + b"\n" * (len(data) % 2)
    return made


@pytest.fixture
def archives(tmp_path: Path) -> Callable[[], tuple[Path, list[Archive]]]:
    """A folder with an archive of icons, one of drawings and one of photographs, and what is to be known of them."""

    def make() -> tuple[Path, list[Archive]]:
        folder = tmp_path / "archives"
        folder.mkdir()
        icon = '<rect width="16" height="10" fill="red"/>'
        icons = {name: {"body": icon} for name in ("apple", "boy-dark-skin", *(f"flag-{letter}" for letter in "abcdefg"))}
        land = "./usr/share/game/images/land/"
        jpeg = picture_bytes((500, 400), "green", "JPEG")
        held = {
            "icons.tgz": tar_of({"package/icons.json": json.dumps({"icons": icons, "width": 16, "height": 16}).encode()}, "w:gz"),
            "drawings.deb": deb_of({"./usr/share/openclipart/png/cat.png": picture_bytes((60, 30), "blue", "PNG", "RGBA")}),
            "photographs.deb": deb_of(
                {"./usr/share/doc/game/copyright": COPYRIGHT.encode()}
                | {f"{land}{name}.jpg": jpeg for name in ("hill", "sea-by-sa", "other1")}
            ),
        }
        made = []
        for file, data in held.items():
            (folder / file).write_bytes(data)
            kind = file.split(".")[0]
            only = {"icons": ("*",), "drawings": ("*.png",), "photographs": ("*/images/land/*.jpg",)}[kind]
            made.append(Archive("npm", kind, "1", file, digest_of(folder / file), "CC0", "nobody", kind, only))
        return folder, made

    return make
