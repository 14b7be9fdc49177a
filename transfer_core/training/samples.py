"""The pictures of a run: taken from the project's table once, then fixed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from transfer_core.data.project import Project
from transfer_core.files import write_text
from transfer_core.images.pixels import Source

FILE = "samples.jsonl"
Split = Literal["train", "val", "test"]


@dataclass(frozen=True)
class RunSample:
    """A picture as a run uses it; `given` says that its split came with the user's folders, `group` what folds keep together."""

    path: str
    relative: str
    label: str
    split: str
    given: bool
    content: str
    group: str = ""  # of runs from before there were groups: its content


@dataclass(frozen=True)
class RunSamples:
    """The samples of a run, in a fixed order. Memory: about 0.5 KB a picture."""

    samples: list[RunSample]

    @classmethod
    def of_project(cls, project: Project) -> RunSamples:
        """All pictures in use, as the project's table has them now.

        A class that only a validation set has can't be learnt: its pictures are not among them.
        """
        learnt = {count.label for count in project.table.classes() if count.train}
        return cls(
            [
                RunSample(str(s.path), s.relative, s.label, s.split, s.given_split == s.split, s.content, s.group)
                for s in project.table.samples()
                if s.label is not None and s.split is not None and (s.split != "val" or s.label in learnt)
            ]
        )

    @classmethod
    def read(cls, folder: Path) -> RunSamples | None:
        """The samples an earlier worker of this run fixed, or None."""
        file = folder / FILE
        if not file.exists():
            return None
        with file.open(encoding="utf-8") as lines:
            return cls([RunSample(**json.loads(line)) for line in lines])

    def write(self, folder: Path) -> None:
        """Fix the samples in a run's folder."""
        write_text(folder / FILE, "".join(json.dumps(asdict(sample), ensure_ascii=False) + "\n" for sample in self.samples))

    def without(self, contents: Collection[str]) -> RunSamples:
        """The samples whose picture is not among `contents`."""
        return RunSamples([sample for sample in self.samples if sample.content not in contents])

    def of(self, *splits: Split) -> RunSamples:
        """The samples of these splits."""
        return RunSamples([sample for sample in self.samples if sample.split in splits])

    def __len__(self) -> int:
        return len(self.samples)

    @cached_property
    def classes(self) -> list[str]:
        """The classes there is something to learn from, by name: the order of the model's outputs."""
        return sorted({sample.label for sample in self.samples if sample.split != "test"})

    @property
    def validation_given(self) -> bool:
        """Whether the user's folders say what is held out for validation."""
        return any(sample.given and sample.split == "val" for sample in self.samples)

    @property
    def contents(self) -> list[str]:
        """The content of each sample."""
        return [sample.content for sample in self.samples]

    @property
    def sources(self) -> list[Source]:
        """What to decode."""
        return [Source(sample.content, Path(sample.path)) for sample in self.samples]

    @property
    def digest(self) -> str:
        """SHA-256 over contents, classes, splits and groups, in hexadecimals: what a model of these pictures depends on."""
        lines = sorted(repr((s.content, s.label, s.split, s.given, s.group)) for s in self.samples)
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def labels(self, classes: list[str]) -> NDArray[np.int64]:
        """The number of each sample's class among `classes`; -1 for a class that is not among them."""
        numbers = {label: number for number, label in enumerate(classes)}
        return np.array([numbers.get(sample.label, -1) for sample in self.samples], dtype=np.int64)
