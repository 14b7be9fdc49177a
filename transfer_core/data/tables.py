"""A CSV or TSV of file and class: read whatever program wrote it, its columns guessed, its files found."""

from __future__ import annotations

import csv
import io
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from transfer_core.data.layout import SPLIT_FOLDERS, Found, check_folder, ignored
from transfer_core.data.names import pattern
from transfer_core.data.reading import Columns
from transfer_core.errors import DataError
from transfer_core.i18n import _

ENDINGS = frozenset({".csv", ".tsv", ".tab"})
MAX_BYTES = 256 * 1024 * 1024  # millions of lines
MOST_COLUMNS = 1000
MOST_CELLS = 10_000_000  # in all; they are held in memory, 50 bytes and more each
MOST_LISTED = 300_000  # files below a folder, among which those of a table are looked for by their names
MOST_CLASS_CHARACTERS = 200
_DELIMITERS = (",", "\t", ";", "|")
_FIRST = 400  # rows that guesses are made from
_AGREED = 0.75  # of the files that lie elsewhere, in the folder taken for theirs
_PICTURE = re.compile(r"\.(jpe?g|jpe|jfif|png|webp|bmp|gif|tiff?|heic|heif|avif)$", re.IGNORECASE)
# Marks of the encodings that have one, the longer first.
_MARKS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
# Words in the titles of columns, the likeliest first.
_WORDS = {
    "file": "file filename path filepath image img picture photo name id 文件 图片 图像 路径",
    "label": "label class category target species labels classname diagnosis breed kind type y dx tag genus 标签 类别 分类",
    "split": "split set subset partition usage fold dataset 划分",
    "group": "group patient patientid subject subjectid device camera site participant person lesion lesionid groupid sourceid deviceid "
    "individual animalid 病人 患者 分组 设备",
}
_FILE_WORDS, _LABEL_WORDS, _SPLIT_WORDS, _GROUP_WORDS = (words.split() for words in _WORDS.values())


@dataclass(frozen=True)
class Table:
    """A table as text: the titles of its columns and its rows, all as long as `titles`. `lines[i]` is the line of row `i` in the file."""

    file: Path
    titles: list[str]
    has_titles: bool
    rows: list[list[str]]
    lines: list[int]

    def column(self, title: str) -> int:
        """The place of a column; raises DataError naming those there are."""
        if title not in self.titles:
            raise DataError(
                _("The table {file} has no column {column}.").format(file=self.file, column=title),
                code="no-such-column",
                file=self.file,
                fix=_("Its columns are: {columns}.").format(columns=", ".join(self.titles[:20])),
            )
        return self.titles.index(title)


@dataclass(frozen=True)
class Row:
    """What a line of the table says of one file."""

    file: str
    label: str
    split: str | None
    group: str | None
    line: int


def is_table(path: Path) -> bool:
    """Whether the name is that of a table."""
    return path.suffix.lower() in ENDINGS


def read_table(file: Path, titles: bool | None = None) -> Table:
    """The table in `file`; whether its first line are titles is guessed unless said.

    Raises DataError when it is no table: not there, not text, too large, or a single column.
    """
    try:
        if file.stat().st_size > MAX_BYTES:
            raise _bad(file, _("it is larger than {limit} MB").format(limit=MAX_BYTES // 2**20))
        data = file.read_bytes()
    except FileNotFoundError as error:
        raise DataError(
            _("The table {file} does not exist.").format(file=file),
            code="no-such-table",
            file=file,
            fix=_("Put it back where it was, or open the table anew from where it is now."),
        ) from error
    except OSError as error:
        raise _bad(file, error.strerror or str(error)) from error
    return table_of(data, file, titles)


def table_of(data: bytes, file: Path, titles: bool | None = None) -> Table:
    """The table in these bytes of `file`; for the rest see `read_table`."""
    text = _text(data, file)
    delimiter = _delimiter(text)
    rows, lines = _rows(text, delimiter, file)
    width = Counter(len(row) for row in rows[:_FIRST]).most_common(1)[0][0] if rows else 0
    if width < 2:
        raise _bad(file, _("it needs two columns, one with the files and one with their classes"))
    if width > MOST_COLUMNS:
        raise _bad(file, _("it has more than {most} columns").format(most=MOST_COLUMNS))
    has_titles = _has_titles(rows) if titles is None else titles
    width = max(width, len(rows[0]) if has_titles else 0)
    shown = _titles(rows[0], width) if has_titles else [str(number) for number in range(1, width + 1)]
    body = [(row + [""] * (width - len(row)))[:width] for row in rows[int(has_titles) :]]
    return Table(file, shown, has_titles, body, lines[int(has_titles) :])


def guess_columns(table: Table, exists: Callable[[str], bool] | None = None) -> Columns | None:
    """Which columns say file, class, split and group; None where no two can be told. `exists` says whether a cell names a file."""
    rows = table.rows[:_FIRST]
    if not rows:
        return None
    places = range(len(table.titles))
    values = [[row[place].strip() for row in rows] for place in places]
    words = [_word(title) if table.has_titles else "" for title in table.titles]

    endings = [sum(bool(_PICTURE.search(cell)) for cell in column) / len(rows) for column in values]
    if max(endings) < 0.5 and exists is not None:  # names without endings: whether there are such files takes longer to find out
        endings = [sum(bool(cell) and exists(cell) for cell in column) / len(rows) for column in values]

    def files(place: int) -> tuple[bool, int, int]:
        return endings[place] >= 0.5, _rank(words[place], _FILE_WORDS), -place

    file = max(places, key=files)
    if endings[file] < 0.5:
        return None
    splits = [
        place
        for place in places
        if place != file and all(cell.lower() in SPLIT_FOLDERS for cell in values[place] if cell) and any(values[place])
    ]
    # A lone column of "train" and "test" may be the class of vehicles and exams; where another is left to be the class, it is the split.
    split = max(splits, key=lambda place: _rank(words[place], _SPLIT_WORDS), default=None)
    left = [place for place in places if place not in (file, split)]
    labels = [place for place in left if _may_be_class(values[place])]
    named = [place for place in left if words[place] in _LABEL_WORDS and any(values[place])]
    named = named or [place for place in labels if _rank(words[place], _LABEL_WORDS)]
    if named:
        label = max(named, key=lambda place: _rank(words[place], _LABEL_WORDS))
    elif labels:
        # Words before numbers, then fewer different ones.
        label = min(labels, key=lambda place: (_numeric(values[place]), len(set(values[place])), place))
    elif split is not None and _rank(words[split], _SPLIT_WORDS) == 0:
        label, split = split, None
    else:
        return None
    groups = [place for place in left if place != label and _rank(words[place], _GROUP_WORDS) and any(values[place])]
    group = max(groups, key=lambda place: _rank(words[place], _GROUP_WORDS), default=None)
    title = table.titles.__getitem__
    return Columns(
        title(file),
        title(label),
        None if split is None else title(split),
        None if group is None else title(group),
        table.has_titles,
    )


def is_plain(columns: Columns) -> bool:
    """Whether the titles of the columns themselves say which are the file and the class, so that nobody need be asked."""
    return columns.titles and bool(_rank(_word(columns.file), _FILE_WORDS)) and bool(_rank(_word(columns.label), _LABEL_WORDS))


def rows_of(table: Table, columns: Columns) -> Iterator[Row]:
    """What each line says, lines without a file left away; raises DataError when a column is not there (any more)."""
    file, label = table.column(columns.file), table.column(columns.label)
    split = table.column(columns.split) if columns.split else None
    group = table.column(columns.group) if columns.group else None
    for row, line in zip(table.rows, table.lines, strict=True):
        if row[file].strip():
            yield Row(
                row[file].strip(),
                unicodedata.normalize("NFC", row[label].strip()),
                SPLIT_FOLDERS.get(row[split].strip().lower()) if split is not None else None,
                (row[group].strip() or None) if group is not None else None,
                line,
            )


def walk_table(root: Path, file: Path, columns: Columns, split: str | None = None, group: str | None = None) -> Iterator[Found]:
    """Every file that the table names, with what it says of it; `group` is a pattern for file names, where no column says it.

    Files are looked for beside the table, then in `root`, then by their name alone anywhere below `root`. One that is not there, lies
    outside of `root`, has no class or two of them is left out with that reason. A line that says the same again is passed over.
    Raises DataError when `root` or the table can't be read.
    """
    check_folder(root)
    table = read_table(file, columns.titles)
    grouped = pattern(group) if group else None
    finder = Finder(root, file.parent)
    said: dict[str, Found] = {}
    for row in rows_of(table, columns):
        found = _found(row, finder, split)
        if grouped and found.group is None and (told := grouped.read(found.relative)):
            found = replace(found, group=told.group)
        before = said.get(found.relative)
        if before is None:
            said[found.relative] = found
        elif before.reason is None and found.reason is None and before.label != found.label:
            reason = _("the table gives it two classes, {first} and {second}").format(first=before.label, second=found.label)
            said[found.relative] = replace(before, label=None, reason=reason)
    yield from said.values()


def beside(root: Path, found: Iterable[Found], named: Collection[str]) -> Iterator[Found]:
    """The pictures in the folders of those `found` in a table that are not `named` (paths): nothing says what they show."""
    folders = sorted({os.path.dirname(one.path) for one in found if one.reason is None})  # noqa: PTH120 (a hundred thousand)
    for folder in folders:
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:  # told of the pictures in it
            continue
        for entry in entries:
            if _PICTURE.search(entry.name) and not ignored(entry.name) and entry.path not in named and _is_text(entry.path):
                path = Path(entry.path)
                yield Found(path, path.relative_to(root).as_posix(), None, None, _("the table does not name it"))


def _found(row: Row, finder: Finder, split: str | None) -> Found:
    path, relative, reason = finder.find(row.file)
    label: str | None = row.label or None
    if reason is None and label is None:
        reason = _("the table gives no class for it (line {line})").format(line=row.line)
    if label is not None and len(label) > MOST_CLASS_CHARACTERS:
        label, reason = None, _("its class in the table is longer than {most} characters").format(most=MOST_CLASS_CHARACTERS)
    return Found(path, relative, label, split or row.split, reason, row.group)


class Finder:
    """Finds the files that a table names, below `root`. The names of all files are listed only when one is looked for by its name."""

    def __init__(self, root: Path, beside: Path):
        self.root = Path(os.path.abspath(root))  # noqa: PTH100 (links stay as they are)
        self._starts = list(dict.fromkeys([Path(os.path.abspath(beside)), self.root]))  # noqa: PTH100
        self._inside = str(self.root).rstrip(os.sep) + os.sep
        self._limit = Path(os.path.realpath(root))
        self._real: dict[Path, bool] = {}
        self._names: dict[str, list[str]] | None = None

    def find(self, given: str) -> tuple[Path, str, str | None]:
        """Where the file is, its path relative to the root, and, if it can't be used, why."""
        shown = _printable(given)
        if "\0" in given or not _is_text(given):
            return self.root, shown, _("its name is not valid text")
        plain = given.replace("\\", "/")
        # Joined, an absolute path stays what it is.
        paths = [os.path.normpath(os.path.join(start, plain)) for start in self._starts]  # noqa: PTH118 (a hundred thousand)
        # What lies elsewhere is not even looked for: a table from elsewhere must not tell what is there.
        inside = [path for path in paths if path.startswith(self._inside)]
        for path in inside:
            if os.path.isfile(path):  # noqa: PTH113
                return self._checked(Path(path), path[len(self._inside) :])
        named = self._by_name(plain)
        if len(named) == 1:
            return self._checked(named[0], str(named[0])[len(self._inside) :])
        if named:
            return named[0], shown, _("there are {count} files of this name").format(count=len(named))
        if os.path.normpath(plain).startswith(".."):
            return self.root, shown, _("its path in the table leads out of the folder")
        if not inside:
            return self.root, shown, _("it lies outside of the folder {folder}").format(folder=self.root)
        return self.root, shown, _("the table names it, but it is not there")

    def _checked(self, path: Path, inside: str) -> tuple[Path, str, str | None]:
        relative = inside.replace(os.sep, "/")
        folder = path.parent
        if folder not in self._real:
            self._real[folder] = Path(os.path.realpath(folder)).is_relative_to(self._limit)
        leads_out = path.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(self._limit)
        if leads_out or not self._real[folder]:
            return path, relative, _("it is a link that leads out of the folder")
        return path, relative, None

    def _by_name(self, plain: str) -> list[Path]:
        """The files called so, with or without their ending; of several, those whose folders are named too."""
        if self._names is None:
            self._names = self._all_names()
        named = self._names.get(_key(plain.rpartition("/")[2]), [])
        if len(named) > 1:
            wanted = "/" + _key(plain).lstrip("/")
            whole = [path for path in named if _key(path.replace(os.sep, "/")).endswith(wanted)]
            named = whole if len(whole) == 1 else named
        return [Path(path) for path in named]

    def _all_names(self) -> dict[str, list[str]]:
        names: dict[str, list[str]] = {}
        count = 0
        for folder, folders, files in os.walk(self.root):
            folders[:] = sorted(name for name in folders if not ignored(name))
            for name in files:
                if ignored(name) or not _is_text(name):
                    continue
                path, key = os.path.join(folder, name), _key(name)  # noqa: PTH118
                names.setdefault(key, []).append(path)
                if _PICTURE.search(name):
                    names.setdefault(key.rpartition(".")[0], []).append(path)
            count += len(files)
            # A table in somebody's home folder must not have all of it read.
            if count > MOST_LISTED:
                break
        return names


def _key(name: str) -> str:
    """A name by which files are found again whatever the case and spelling that systems changed."""
    return unicodedata.normalize("NFC", name.casefold())


def root_of(file: Path, columns: Columns, table: Table) -> Path:
    """The folder that the files of a table lie in: that of the table, unless most of them lie elsewhere, together.

    What lies outside of it will be left out, so a table from elsewhere opens no folder that its lines don't agree on.
    """
    beside = Path(os.path.abspath(file.parent))  # noqa: PTH100
    inside, elsewhere = 0, []
    for row in list(rows_of(table, columns))[:_FIRST]:
        path = Path(os.path.normpath(beside / row.file.replace("\\", "/")))
        if "\0" in row.file or not os.path.isfile(path):  # noqa: PTH113
            continue
        if path.is_relative_to(beside):
            inside += 1
        else:
            elsewhere.append(path.parent)
    if len(elsewhere) <= inside:
        return beside
    above = Counter(folder for parent in elsewhere for folder in (parent, *parent.parents))
    agreed = [folder for folder, count in above.items() if count >= _AGREED * len(elsewhere) and folder.parent != folder]
    return max(agreed, key=lambda folder: len(folder.parts), default=beside)


def _bad(file: Path, reason: str) -> DataError:
    return DataError(
        _("The table {file} can't be used: {reason}.").format(file=file, reason=reason),
        code="bad-table",
        file=file,
        fix=_("Save it as CSV with a column for the file and one for the class, a line for each picture."),
    )


def _text(data: bytes, file: Path) -> str:
    """The text of a table: by its mark, else UTF-8, else what old programs write."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            try:
                return data.decode(encoding)
            except UnicodeDecodeError as error:
                raise _bad(file, _("it is not text")) from error
    for encoding in ("utf-8", "gb18030", "cp1252"):
        # Western text is now and then valid GB18030: then a single accent swallows the letter after it, and Chinese stands alone.
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if encoding != "gb18030" or _reads_as_chinese(text):
            break
    else:
        text = data.decode("latin-1")
    if text.count("\0", 0, 4096) > 40:  # one in a name is that name's trouble
        raise _bad(file, _("it is not text"))
    return text


def _reads_as_chinese(text: str) -> bool:
    """Whether the signs beyond ASCII come in words of two and more common ones, as Chinese does."""
    strange = [sign for sign in text[:100_000] if ord(sign) > 127]
    common = sum("\u4e00" <= sign <= "\u9fff" or sign in "，。：；（）、《》“”" for sign in strange)
    runs = re.findall(r"[\u4e00-\u9fff]{2,}", text[:100_000])
    return common >= 0.9 * len(strange) and sum(map(len, runs)) >= 0.5 * len(strange)


def _delimiter(text: str) -> str:
    """The sign between columns: the one by which the first lines fall into the same number of parts, the more the better."""
    first = text[:200_000].splitlines()[:50]

    def parts(sign: str) -> tuple[int, int]:
        try:
            counts = Counter(len(row) for row in csv.reader(first, delimiter=sign) if row)
        except csv.Error:
            return 0, 0
        width, lines = counts.most_common(1)[0] if counts else (0, 0)
        return (lines if width > 1 else 0), width

    return max(_DELIMITERS, key=parts)


def _rows(text: str, delimiter: str, file: Path) -> tuple[list[list[str]], list[int]]:
    rows, lines, cells = [], [], 0
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                rows.append(row)
                lines.append(reader.line_num)
                cells += len(row)
            if cells > MOST_CELLS:
                raise _bad(file, _("it has more than {most} cells").format(most=f"{MOST_CELLS:,}"))
    except csv.Error as error:
        raise _bad(file, _("line {line}: {reason}").format(line=reader.line_num, reason=error)) from error
    return rows, lines


def _has_titles(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first row are titles: none of its cells names a picture where the rows below do."""
    if len(rows) < 2:
        return bool(rows) and not any(_PICTURE.search(cell.strip()) for cell in rows[0])
    if any(_PICTURE.search(cell.strip()) for cell in rows[0]):
        return False
    below = any(_PICTURE.search(cell.strip()) for row in rows[1:20] for cell in row)
    known = {word for words in (_FILE_WORDS, _LABEL_WORDS, _SPLIT_WORDS, _GROUP_WORDS) for word in words}
    return below or any(_word(cell) in known for cell in rows[0])


def _titles(cells: Sequence[str], width: int) -> list[str]:
    """The titles, each one once; a column without one gets its number."""
    titles: list[str] = []
    for number in range(width):
        title = (cells[number].strip() if number < len(cells) else "") or str(number + 1)
        again = 2
        unique = title
        while unique in titles:
            unique, again = f"{title} ({again})", again + 1
        titles.append(unique)
    return titles


def _word(title: str) -> str:
    return re.sub(r"[\W_]+", "", title).casefold()


def _rank(word: str, words: Sequence[str]) -> int:
    """How likely a title is one of these: 0 for not at all. "image_name" counts for "image", and less."""
    if word in words:
        return 2 * len(words) - words.index(word)
    return next((len(words) - place for place, known in enumerate(words) if len(known) > 3 and known in word), 0)


def _may_be_class(cells: Sequence[str]) -> bool:
    filled = [cell for cell in cells if cell]
    return (
        bool(filled)
        and (len(set(filled)) <= max(2, 0.7 * len(filled)))
        and not any(_PICTURE.search(cell) for cell in filled[:50])
    )


def _numeric(cells: Sequence[str]) -> int:
    """2 for measurements, 1 for whole numbers, 0 for words."""
    filled = [cell for cell in cells if cell]
    if all(re.fullmatch(r"[+-]?\d+", cell) for cell in filled):
        return 1
    return 2 if all(re.fullmatch(r"[+-]?\d*[.,]?\d+(e[+-]?\d+)?", cell, re.IGNORECASE) for cell in filled) else 0


def _is_text(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _printable(text: str) -> str:
    return text.encode("utf-8", "replace").decode().replace("\0", "?")[:500]
