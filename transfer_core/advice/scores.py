"""What was found out about candidates, kept with the project until its pictures or classes change. No torch."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from transfer_core.errors import TransferError, storage_error
from transfer_core.files import read_json, write_json
from transfer_core.metrics.intervals import Score, wilson
from transfer_core.training.samples import RunSamples

SCHEMA = 1
RIGHT, WRONG, NEVER = "1", "0", "-"


@dataclass(frozen=True)
class Measured:
    """What the pictures looked at say of one candidate.

    `answers` has a character for each of them, in order, once heads were cross-validated: RIGHT, WRONG, or NEVER held out.
    """

    evidence: float
    neighbours: Score
    answers: str | None = None

    @property
    def validated(self) -> Score | None:
        """The accuracy of the cross-validated heads, where any picture was held out."""
        return wilson(self.answers.count(RIGHT), len(self.answers) - self.answers.count(NEVER)) if self.answers else None


class KeptScores:
    """`choice.json` in a project's cache: the scores of candidates on one set of pictures."""

    def __init__(self, folder: Path, looked_at: RunSamples, seed: int):
        self._file = folder / "choice.json"
        lines = (f"{sample.content} {sample.split} {sample.given} {sample.label}" for sample in looked_at.samples)
        self._pictures = hashlib.sha256("\n".join([str(seed), *lines]).encode()).hexdigest()
        self._scores = self._read()

    def get(self, key: str) -> Measured | None:
        """What is known of a candidate, or None."""
        return self._scores.get(key)

    def keep(self, key: str, measured: Measured) -> None:
        """Remember a candidate's scores; raises StorageError when the disk refuses."""
        self._scores[key] = measured
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise storage_error(error, self._file.parent) from error
        data = {key: asdict(measured) for key, measured in self._scores.items()}
        write_json(self._file, {"schema": SCHEMA, "pictures": self._pictures, "scores": data})

    def keep_answers(self, key: str, answers: str) -> None:
        """Add the answers of the cross-validated heads to what is known."""
        self.keep(key, replace(self._scores[key], answers=answers))

    def _read(self) -> dict[str, Measured]:
        # A file that can't be read, or is of other pictures, counts for nothing: it is measured again.
        try:
            data: Any = read_json(self._file)
            if (data["schema"], data["pictures"]) != (SCHEMA, self._pictures):
                return {}
            return {key: _measured(entry) for key, entry in data["scores"].items()}
        except (TransferError, AttributeError, KeyError, TypeError):
            return {}


def _measured(entry: dict[str, Any]) -> Measured:
    return Measured(float(entry["evidence"]), Score(**entry["neighbours"]), entry["answers"])
