"""What the doctor found, kept with the project, and what of it still stands after what the user did since. No torch."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from transfer_core.advice.checks.check import Action, Check, Finding, Item
from transfer_core.advice.checks.classes import class_findings
from transfer_core.advice.checks.table import CHECKS
from transfer_core.data.edits import Edits
from transfer_core.data.project import Project
from transfer_core.data.samples import ClassCount, choose_ids
from transfer_core.errors import DataError, TransferError, storage_error
from transfer_core.files import read_json, write_json

SCHEMA = 1
FILE = "findings.json"
NOTED = 100
EVERYTHING = "*"  # the key of a note that was kept: it is about all that there will be


@dataclass(frozen=True)
class Findings:
    """What was found at `time` (epoch seconds) in the pictures that `pictures` is a digest of; `backbone` is the network that looked.

    No network looks at fewer pictures than can be compared.
    """

    pictures: str
    time: float
    backbone: str | None
    found: tuple[Finding, ...]


def check_of(finding: Finding) -> Check:
    """The entry of the finding's check."""
    return CHECKS[finding.check]


def sentence(finding: Finding) -> str:
    """The finding as a sentence, in the language spoken now."""
    return check_of(finding).tell(finding)


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """Findings with the most important first."""
    places = {name: place for place, name in enumerate(CHECKS)}
    return sorted(findings, key=lambda finding: places[finding.check])


def keep_findings(project: Project, findings: Findings) -> None:
    """Write them into the project's cache; raises StorageError when the disk refuses."""
    file = _file(project)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error(error, file.parent) from error
    write_json(file, {"schema": SCHEMA} | asdict(findings))


def kept_findings(project: Project) -> Findings | None:
    """The findings as they were found, whatever happened since; None where the doctor never came to an end."""
    file = _file(project)
    try:
        status = file.stat()
    except OSError:
        return None
    return _read(file, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=8)  # a page asks at every press
def _read(file: Path, _changed: int, _size: int) -> Findings | None:
    try:
        data = read_json(file, DataError)
        if data["schema"] != SCHEMA:
            return None
        found = tuple(_finding(each) for each in data["found"] if each["check"] in CHECKS)
        return Findings(data["pictures"], float(data["time"]), data["backbone"], found)
    except (TransferError, KeyError, TypeError, ValueError):
        return None  # it lies in the cache: gone or damaged is as good as never found


def standing(project: Project, findings: Findings | None, counts: Sequence[ClassCount] | None = None) -> list[Finding]:
    """What of `findings` still stands, and what the classes' `counts` say now (read if not given); the most important first.

    A picture drops out once it was excluded, restored, given another class, changed on disk, or kept as it is, and so does one whose
    picture beside it was. Undoing brings it back.
    """
    now = _now(project, findings.found if findings else ())
    counts = project.table.classes() if counts is None else counts
    known = [*(findings.found if findings else ()), *class_findings(counts)]
    kept, classes = _kept(project), {count.label for count in counts}
    left = [_left(finding, now, classes, kept[finding.check]) for finding in known]
    return in_order(finding for finding in left if finding.items)


def pictures_digest(project: Project) -> str:
    """What says whether files came, went or changed since; edits don't change it. Time: milliseconds for 100,000 pictures."""
    query = "SELECT count(*), total(id), total(size), total(mtime_ns / 1000 % 1000000007) FROM samples"
    with project.table.connect() as connection:
        return "-".join(f"{value:.0f}" for value in connection.execute(query).fetchone())


def pairs_once(items: Sequence[Item]) -> list[tuple[Item, Item | None]]:
    """Items in their order, those that are each beside the other once, with the second beside the first."""
    pairs: dict[frozenset[int | str], list[Item]] = defaultdict(list)
    for item in items:
        own: int | str = item.key if item.id is None else item.id
        pairs[frozenset((own, own if item.beside is None else item.beside))].append(item)
    return [(pair[0], pair[1] if len(pair) > 1 else None) for pair in pairs.values()]


def keys_to_keep(finding: Finding, items: Sequence[Item] | None = None) -> list[str]:
    """What `Edits.keep` is to remember so that these items, or the finding as a whole, go away."""
    if items is None and check_of(finding).severity == "note":
        return [EVERYTHING]
    return [item.key for item in (finding.items if items is None else items)]


def apply(project: Project, finding: Finding, action: Action, items: Sequence[Item] | None = None) -> int:
    """Carry out a remedy for all items of a finding, or for some; returns how many edits that was, for undoing them.

    Raises DataError and StorageError as `Edits` does.
    """
    edits = Edits(project)
    chosen = finding.items if items is None else items
    if action == "keep":
        edits.keep(finding.check, keys_to_keep(finding, items))
        return 1
    if action == "exclude":
        edits.exclude([item.id for item in chosen if item.id is not None])
        return 1
    done = 0
    if action == "merge":
        for item in chosen:
            if item.label is not None and item.to is not None:
                edits.rename(item.label, item.to)
                done += 1
        return done
    for to in dict.fromkeys(item.to for item in chosen if item.to is not None):
        edits.relabel([item.id for item in chosen if item.to == to and item.id is not None], to)
        done += 1
    return done


def as_data(project: Project, finding: Finding) -> dict[str, Any]:
    """The finding for `--json`: its check, severity, sentence, count, remedies and items with their files."""
    check = check_of(finding)
    ids = finding.ids + [item.beside for item in finding.items if item.beside is not None]
    files = {sample.id: str(sample.path) for sample in project.table.samples(state=None, ids=ids)}
    return {
        "check": finding.check,
        "severity": check.severity,
        "sentence": sentence(finding),
        "count": finding.count,
        "remedies": list(check.remedies),
        "items": [
            {
                "sample": item.id,
                "file": files.get(item.id) if item.id is not None else None,
                "class": item.label,
                "suggested": item.to,
                "beside": files.get(item.beside) if item.beside is not None else None,
                "beside_class": item.beside_label,
            }
            for item in finding.items
        ],
    }


def now_found(pictures: str, found: Iterable[Finding], backbone: str | None) -> Findings:
    """Findings of this moment; of notes only the first `NOTED` items are kept, so that pages of large sets stay quick."""
    return Findings(pictures, time.time(), backbone, tuple(_trimmed(finding) for finding in in_order(found)))


def _trimmed(finding: Finding) -> Finding:
    if check_of(finding).severity != "note" or len(finding.items) <= NOTED:
        return finding
    return replace(finding, items=finding.items[:NOTED], more=len(finding.items) - NOTED)


def _file(project: Project) -> Path:
    return project.cache / FILE


def _finding(data: dict[str, Any]) -> Finding:
    return Finding(data["check"], tuple(Item(**item) for item in data["items"]), data["values"], int(data["more"]))


# Of a sample as it is now: its class, content, and whether it is in use.
_State = tuple[str | None, str, str]


def _now(project: Project, findings: Iterable[Finding]) -> dict[int, _State]:
    ids = {id for finding in findings for item in finding.items for id in (item.id, item.beside) if id is not None}
    if not ids:
        return {}
    query = "SELECT id, label, coalesce(content, ''), state FROM samples WHERE id IN (SELECT id FROM chosen)"
    with project.table.connect() as connection:
        choose_ids(connection, ids)
        return {row[0]: row[1:] for row in connection.execute(query)}


def _kept(project: Project) -> dict[str, set[str]]:
    kept: dict[str, set[str]] = defaultdict(set)
    for edit in Edits(project).history():
        if edit.kind == "keep":
            kept[str(edit.target)].update(edit.items)
    return kept


def _left(finding: Finding, now: dict[int, _State], classes: set[str], kept: set[str]) -> Finding:
    if EVERYTHING in kept:
        return replace(finding, items=())
    items = tuple(item for item in finding.items if item.key not in kept and _stands(item, now, classes))
    return finding if len(items) == len(finding.items) else replace(finding, items=items)


def _stands(item: Item, now: dict[int, _State], classes: set[str]) -> bool:
    if item.id is None:
        return item.label in classes
    if item.to is not None and item.to not in classes:
        return False
    as_found = _is_as_found(item.id, item.label, now, item.content)
    return as_found and (item.beside is None or _is_as_found(item.beside, item.beside_label, now))


def _is_as_found(id: int, label: str | None, now: dict[int, _State], content: str | None = None) -> bool:
    if id not in now:
        return False
    label_now, content_now, state = now[id]
    return label_now == label and state != "excluded" and content in (None, content_now)
