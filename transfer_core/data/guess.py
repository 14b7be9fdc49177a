"""How the classes of pictures are told: the readings of a place that make sense, each with what it would give, the likeliest first."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from transfer_core.data import archives, tables
from transfer_core.data.layout import are_splits, check_folder, class_of, ignored
from transfer_core.data.names import check_pattern, guess_patterns
from transfer_core.data.reading import Depth, Reading, Source
from transfer_core.data.sources import check_door, guessed_columns, source_of_table
from transfer_core.errors import DataError
from transfer_core.i18n import _, ngettext
from transfer_core.images.formats import EXTENSIONS

LOOKED_AT = 20_000  # files; a folder of a hundred thousand is understood by fewer, and sooner
EXAMPLE_CLASSES, EXAMPLES = 6, 2  # of so many classes, so many pictures each
_DEEPEST_OFFERED = 4
# Of the pictures, that lie deeper than the first folder: from so many on there is a choice to be made.
_NESTED = 0.1
# Of the pictures, that a reading must give a class to be offered.
_COVERED = 0.6
_MOST_TABLES = 5
_MOST_TABLE_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True)
class Offer:
    """A reading, the sentence that describes it, and what it gives: pictures of each class, and for some files their class."""

    reading: Reading
    sentence: str
    classes: Counter[str]
    examples: tuple[tuple[str, str], ...]

    @property
    def pictures(self) -> int:
        """How many of the pictures looked at get a class."""
        return self.classes.total()


@dataclass(frozen=True)
class Guess:
    """The readings of a place, the likeliest first. `unclear`: somebody should choose. `more`: not all files were looked at."""

    offers: tuple[Offer, ...]
    unclear: bool
    more: bool = False

    @property
    def best(self) -> Reading:
        """The likeliest reading; where there is none, that of a folder a class, which then says of each file why it has no class."""
        return self.offers[0].reading if self.offers else Reading()


@dataclass(frozen=True)
class _Listing:
    """The files of a place by their paths, pictures and all; `inside` are the paths without wrapping folders and those of splits."""

    pictures: list[str]
    inside: list[tuple[str, ...]]
    table_files: list[str]
    more: bool
    open_table: Callable[[str], tables.Table]


def guess(place: Path, fewest: int = 2) -> Guess:
    """The readings of a folder, an archive or a table; at most 20,000 files are looked at, and no picture is opened.

    A reading that gives fewer than `fewest` classes is none.

    Raises DataError for what is none of these, can't be read or, as an archive, is refused.
    """
    check_door(place)
    if os.path.isdir(place):  # noqa: PTH112 (Path raises for a name too long)
        return _of_listing(_list_folder(place), fewest)
    if tables.is_table(place):
        table = tables.read_table(place)
        columns = guessed_columns(table)
        offer = _table_offer(table, columns, place.name, lambda file: True)
        return Guess((offer,), unclear=not tables.is_plain(columns))
    return _of_listing(_list_archive(place), fewest)


def try_reading(place: Path, reading: Reading) -> Offer:
    """What a reading of a folder, an archive or a table would give; raises DataError where it can't be read so."""
    if tables.is_table(place) and not os.path.isdir(place):  # noqa: PTH112
        if reading.columns is None:
            raise ValueError(f"a table is read by its columns, not by {reading}")
        return _table_offer(tables.read_table(place, reading.columns.titles), reading.columns, place.name, lambda file: True)
    listing = _list_folder(place) if os.path.isdir(place) else _list_archive(place)  # noqa: PTH112
    if reading.kind == "table" and reading.table and reading.columns:
        return _table_offer(listing.open_table(reading.table), reading.columns, reading.table, _known_files(listing))
    if reading.kind == "names" and reading.pattern:
        return _names_offer(listing, reading.pattern)
    if reading.kind == "class":
        return _offer(reading, _("All of them are of one class."), listing.pictures, [reading.label] * len(listing.pictures))
    labels = [class_of(parts[:-1], reading.depth) for parts in listing.inside]
    return _offer(reading, "", listing.pictures, labels)


def open_table(place: Path, name: str, titles: bool | None = None) -> tables.Table:
    """The table that an offer for `place` names; raises DataError."""
    if os.path.isdir(place):  # noqa: PTH112
        return tables.read_table(place / name, titles)
    return tables.read_table(place, titles) if tables.is_table(place) else _packed_table(place, name, titles)


def example_files(place: Path, offer: Offer) -> list[tuple[Path, str, str]]:
    """The example pictures of an offer that lie unpacked on this computer: path, name as the reading has it, class."""
    if os.path.isdir(place):  # noqa: PTH112
        beside = (place / offer.reading.table).parent if offer.reading.table else place
        finder = tables.Finder(place, beside)
    elif tables.is_table(place) and offer.reading.columns:
        finder = tables.Finder(tables.root_of(place, offer.reading.columns, tables.read_table(place)), place.parent)
    else:
        return []
    found = [(finder.find(file), file, label) for file, label in offer.examples]
    return [(path, file, label) for (path, _relative, reason), file, label in found if reason is None]


def source_at(place: Path, reading: Reading | None = None, split: str | None = None) -> Source:
    """A folder or a table as a source, by the likeliest reading unless one is given; raises DataError for what is neither."""
    check_door(place)
    if os.path.isdir(place):  # noqa: PTH112
        return Source(place, split, reading or guess(place).best)
    if tables.is_table(place):
        return source_of_table(place, reading, split)
    raise DataError(
        _("The archive {file} has to be unpacked first.").format(file=place),
        code="not-a-folder",
        file=place,
        fix=_("Unpack it, and give the folder."),
    )


def _of_listing(listing: _Listing, fewest: int) -> Guess:
    folders = _folder_offers(listing, fewest)
    by_table = _table_offers(listing)
    flat = sum(len(parts) < 2 for parts in listing.inside)
    by_names = _name_offers(listing) if not folders or flat > len(listing.inside) / 2 else []
    nested = sum(len(parts) > 2 for parts in listing.inside)
    chosen_folders = len(folders) > 1 and nested >= _NESTED * len(listing.inside)
    if folders and flat <= len(listing.inside) / 2:
        # A table beside class folders is worth a question only where it says something else than they do.
        other = [
            offer for offer in by_table if offer.pictures >= 0.5 * folders[0].pictures and offer.classes != folders[0].classes
        ]
        offers = (folders if chosen_folders else folders[:1]) + other
        return Guess(tuple(offers), unclear=chosen_folders or bool(other), more=listing.more)
    offers = by_table + by_names + folders
    # A pattern is a guess: it is shown before it counts.
    return Guess(tuple(offers), unclear=len(offers) > 1 or bool(by_names), more=listing.more)


def _folder_offers(listing: _Listing, fewest: int) -> list[Offer]:
    folders = [parts[:-1] for parts in listing.inside]
    deepest = max(map(len, folders), default=0)
    uniform = len({len(above) for above in folders if above}) <= 1
    depths: list[tuple[Depth, str]] = [(1, _("The first folder is the class."))]
    if deepest > 1:
        middle = range(2, min(deepest + (not uniform), _DEEPEST_OFFERED + 1))
        depths += [(depth, _("The folder at level {level} is the class.").format(level=depth)) for depth in middle]
        depths += [
            ("innermost", _("The innermost folder, the one that the picture lies in, is the class.")),
            ("joined", _("All folders together are the class.")),
        ]
    offers: list[Offer] = []
    seen: list[list[str | None]] = []
    for depth, sentence in depths:
        labels = [class_of(above, depth) for above in folders]
        offer = _offer(Reading(depth=depth), sentence, listing.pictures, labels)
        if len(offer.classes) < fewest or offer.pictures < _COVERED * len(folders) or _same_parts(labels, seen):
            continue
        seen.append(labels)
        offers.append(offer)
    return offers


def _same_parts(labels: list[str | None], seen: Sequence[list[str | None]]) -> bool:
    """Whether these classes part the pictures as others do, and only have other names."""
    return any(len(set(zip(labels, other, strict=True))) == len(set(labels)) == len(set(other)) for other in seen)


def _name_offers(listing: _Listing) -> list[Offer]:
    return [_names_offer(listing, found.pattern) for found in guess_patterns([parts[-1] for parts in listing.inside])]


def _names_offer(listing: _Listing, text: str) -> Offer:
    made = check_pattern(text, "class")
    labels = [told.label if (told := made.read("/".join(parts))) else None for parts in listing.inside]
    sentence = _("The file name says the class, by the pattern {pattern}.").format(pattern=text)
    return _offer(Reading("names", pattern=text), sentence, listing.pictures, labels)


def _known_files(listing: _Listing) -> Callable[[str], bool]:
    """What says whether a cell of a table names one of the pictures: by its path, its name, or that without the ending."""
    known = {name.casefold() for name in listing.pictures}
    known |= {name.rpartition("/")[2] for name in known}
    known |= {os.path.splitext(name)[0] for name in known}  # noqa: PTH122 (thousands)

    def is_known(cell: str) -> bool:
        plain = cell.replace("\\", "/").casefold()
        return plain in known or plain.rpartition("/")[2] in known

    return is_known


def _table_offers(listing: _Listing) -> list[Offer]:
    is_known = _known_files(listing)
    offers = []
    for name in listing.table_files[:_MOST_TABLES]:
        try:
            table = listing.open_table(name)
            columns = tables.guess_columns(table, is_known)
            if columns is None:
                continue
            offer = _table_offer(table, columns, name, is_known)
        except DataError:  # of many tables in a folder, some say something else
            continue
        if len(offer.classes) >= 2 and offer.pictures >= 0.5 * len(table.rows):
            offers.append(offer)
    return sorted(offers, key=lambda offer: -offer.pictures)


def _table_offer(table: tables.Table, columns: tables.Columns, name: str, is_known: Callable[[str], bool]) -> Offer:
    rows = [row for row in tables.rows_of(table, columns) if row.label and is_known(row.file)]
    titles = {"file": columns.file, "label": columns.label, "table": name}
    sentence = (
        _("The table {table} says the class: its column {label} of the file in its column {file}.").format(**titles)
        if columns.titles
        else _("The table {table} says the class: its column number {label} of the file in its column number {file}.").format(
            **titles
        )
    )
    reading = Reading("table", table=name, columns=columns)
    return _offer(reading, sentence, [row.file for row in rows], [row.label for row in rows])


def _offer(reading: Reading, sentence: str, files: Sequence[str], labels: Sequence[str | None]) -> Offer:
    classes = Counter(label for label in labels if label)
    examples: dict[str, list[str]] = {}
    for file, label in zip(files, labels, strict=True):
        if label and (label in examples or len(examples) < EXAMPLE_CLASSES) and len(examples.setdefault(label, [])) < EXAMPLES:
            examples[label].append(file)
    shown = tuple((file, label) for label, some in examples.items() for file in some)
    return Offer(reading, sentence, classes, shown)


def _list_folder(root: Path) -> _Listing:
    check_folder(root)
    names: list[str] = []
    more = False
    for name in _walk(root):
        if len(names) == LOOKED_AT:
            more = True
            break
        names.append(name)

    def read_table(name: str) -> tables.Table:
        _check_table_size((root / name).stat().st_size)
        return tables.read_table(root / name)

    return _listing(names, more, read_table)


def _walk(root: Path) -> Iterator[str]:
    """The files below `root`, folder by folder in turns: what is looked at first is a little of each class."""
    waiting: list[tuple[str, Iterator[os.DirEntry[str]]]] = [("", _entries(root))]
    while waiting:
        again: list[tuple[str, Iterator[os.DirEntry[str]]]] = []
        for prefix, found in waiting:
            # So many of one folder before it is the turn of the next.
            for count, entry in enumerate(found, 1):
                try:
                    entry.name.encode()
                    if not ignored(entry.name) and not entry.is_symlink():
                        if entry.is_dir():
                            again.append((f"{prefix}{entry.name}/", _entries(Path(entry.path))))
                        else:
                            yield prefix + entry.name
                except (OSError, UnicodeEncodeError):
                    continue
                if count == 500:
                    again.append((prefix, found))
                    break
        waiting = again


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            yield from found
    except OSError:
        return


def _list_archive(archive: Path) -> _Listing:
    names = archives.list_archive(archive)

    return _listing(names[: 5 * LOOKED_AT], len(names) > 5 * LOOKED_AT, lambda name: _packed_table(archive, name))


def _packed_table(archive: Path, name: str, titles: bool | None = None) -> tables.Table:
    return tables.table_of(archives.read_one(archive, name, _MOST_TABLE_BYTES), Path(name), titles)


def _listing(names: list[str], more: bool, open_table: Callable[[str], tables.Table]) -> _Listing:
    pictures = sorted(name for name in names if os.path.splitext(name)[1].lower() in EXTENSIONS)  # noqa: PTH122 (thousands)
    parts, every = ([tuple(name.split("/")) for name in some] for some in (pictures, names))
    # As `layout.files_below` does: what wraps all files says nothing, nor do the folders of the splits.
    while len({one[0] for one in every}) == 1 and min(map(len, every)) > 1 and max(map(len, every)) > 2:
        every, parts = [one[1:] for one in every], [one[1:] for one in parts]
    level = _split_level(every)
    if level is not None:
        parts = [(*one[:level], *one[level + 1 :]) if len(one) > level + 1 else one for one in parts]
    found = sorted(
        (name for name in names if name.lower().endswith(tuple(tables.ENDINGS))), key=lambda name: (name.count("/"), name)
    )
    return _Listing(pictures, parts, found, more, open_table)


def _split_level(every: Sequence[tuple[str, ...]]) -> int | None:
    first, second = ({one[level] for one in every if len(one) > level + 1} for level in (0, 1))
    if are_splits(first):
        return 0
    with_inner = {one[0] for one in every if len(one) > 2}
    return 1 if are_splits(second) and with_inner == first else None


def _check_table_size(size: int) -> None:
    if size > _MOST_TABLE_BYTES:
        raise DataError(_("This table is too large to be looked at."), code="bad-table")


def counted(classes: Counter[str], most: int = 5) -> str:
    """The classes with their counts, the largest first, for a sentence."""
    shown = ", ".join(f"{label} ({count})" for label, count in classes.most_common(most))
    rest = len(classes) - most
    return shown + (ngettext(" and {count} more", " and {count} more", rest).format(count=rest) if rest > 0 else "")
