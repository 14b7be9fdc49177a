"""What all checks share: what a finding is, and what is known of the pictures when they look."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from transfer_core.data.samples import Sample

# Something that spoils a result; something that somebody should look at; something good to know, where nothing has to be done.
Severity = Literal["serious", "look", "note"]
# Each is a method of `Edits`; "merge" renames a class to one that is there.
Action = Literal["exclude", "relabel", "merge", "keep"]


@dataclass(frozen=True)
class Item:
    """One picture that a finding points at, or a class (`id` None).

    `key` is what is remembered when it is kept as it is. `label` and `content` are those it was found with, `beside` the picture that it is
    to be compared with and `beside_label` that one's class, `to` the class suggested.
    """

    key: str
    id: int | None
    label: str | None
    content: str = ""
    beside: int | None = None
    beside_label: str | None = None
    to: str | None = None


@dataclass(frozen=True)
class Finding:
    """What one check found: pictures or classes in an order worth looking at, and values that its sentence tells.

    `more` is how many further ones there are than are kept; only of notes, where nothing has to be done.
    """

    check: str
    items: tuple[Item, ...]
    values: Mapping[str, Any] = field(default_factory=dict)
    more: int = 0

    @property
    def count(self) -> int:
        """How many pictures or classes it is about."""
        return len(self.items) + self.more

    @property
    def ids(self) -> list[int]:
        """The samples it points at."""
        return [item.id for item in self.items if item.id is not None]


@dataclass(frozen=True)
class Evidence:
    """What is known before any network looks: all samples in a fixed order.

    `borders` is by content the mean colour of a picture's edge, three numbers that are 255 apart at most, for as many as were decoded.
    A check that opens files calls `checkpoint` before each, which may raise to stop.
    """

    samples: Sequence[Sample]
    borders: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)
    checkpoint: Callable[[], None] = lambda: None

    @property
    def used(self) -> list[Sample]:
        """The samples in use."""
        return [sample for sample in self.samples if sample.state == "in"]

    @property
    def leaked(self) -> list[tuple[Sample, Sample]]:
        """Samples that are left out because one held out shows the same, each with that one."""
        held_out = {sample.copies: sample for sample in self.used if sample.split in ("val", "test")}
        left_out = (sample for sample in self.samples if sample.state == "out" and sample.content)
        return [(sample, held_out[sample.copies]) for sample in left_out if sample.copies in held_out]


@dataclass(frozen=True)
class Check:
    """One kind of finding: how bad it is, its sentence, and what can be done about it with one press.

    `remedies` are those for all of it, `each` those for one of its pictures. `look` finds it in the evidence; None where features tell it.
    """

    name: str
    severity: Severity
    tell: Callable[[Finding], str]
    remedies: tuple[Action, ...]
    each: tuple[Action, ...] = ()
    look: Callable[[Evidence], Iterable[Finding]] | None = None


def picture(sample: Sample, key: str | None = None, beside: Sample | None = None, to: str | None = None) -> Item:
    """The item of a sample; its key is its content, for as long as the file is the same, if not given."""
    return Item(
        key=key or sample.content or sample.relative,
        id=sample.id,
        label=sample.label,
        content=sample.content,
        beside=beside.id if beside else None,
        beside_label=beside.label if beside else None,
        to=to,
    )


def found(check: str, items: Iterable[Item], **values: Any) -> list[Finding]:
    """One finding of these items, none where there are none."""
    known = tuple(items)
    return [Finding(check, known, values)] if known else []


def labels(finding: Finding, most: int = 3) -> str:
    """The classes that a finding is about, in a sentence: the first few of many."""
    names = [f"{item.label} / {item.to}" if item.to else str(item.label) for item in finding.items]
    return ", ".join(names[:most]) + (", …" if len(names) > most else "")
