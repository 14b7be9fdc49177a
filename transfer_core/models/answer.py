"""A model that answers from a process of its own, so that the page server holds neither the graph nor its memory."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transfer_core.errors import ModelError, TransferError
from transfer_core.i18n import _
from transfer_core.models.predict import Prediction
from transfer_core.processes import child_environment, module_command


class AnswerProcess:
    """One process per model; asked in JSON lines on its standard input. Safe to use from several threads."""

    def __init__(self, folder: Path):
        self.folder = Path(folder)
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None

    def predict(self, paths: Sequence[Path]) -> list[Prediction]:
        """The model's answers; raises ModelError when it can't be loaded. A process that died is started again once."""
        with self._lock:
            for attempt in (1, 2):
                try:
                    return self._ask([str(path) for path in paths])
                except (OSError, EOFError) as error:  # a broken pipe, which Windows tells in other words
                    self._end()
                    if attempt == 2:
                        raise ModelError(
                            _("The process that answers for {folder} ended unexpectedly.").format(folder=self.folder),
                            code="answers-ended",
                            file=self.folder,
                            fix=_("Try again; if it happens again, this computer may be short of memory."),
                        ) from error
        raise AssertionError

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._end()

    def _ask(self, paths: list[str]) -> list[Prediction]:
        if self._process is None:
            self._process = subprocess.Popen(
                module_command("transfer_core.models.answer", self.folder),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                env=child_environment(),
            )
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps(paths) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise EOFError
        answer: Any = json.loads(line)
        if isinstance(answer, dict):
            self._end()
            raise ModelError.from_data(answer["error"])
        return [
            Prediction(
                Path(item["file"]),
                item["label"],
                item["confidence"],
                item["refused"],
                [tuple(t) for t in item["top"]],
                item["error"],
            )
            for item in answer
        ]

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin and process.stdout
        # Closing sends what was not sent yet, which a process that died can't take.
        with contextlib.suppress(OSError):
            process.stdin.close()
        try:
            process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def main(folder: Path) -> None:
    """Answer every line of paths on standard input with a line of predictions, until it closes."""
    from transfer_core.models.predict import Predictor

    predictor: Predictor | None = None
    for line in sys.stdin:
        try:
            predictor = predictor or Predictor(folder)
            paths = [Path(path) for path in json.loads(line)]
            answer: Any = [vars(prediction) | {"file": str(prediction.file)} for prediction in predictor.predict(paths)]
        except TransferError as error:
            answer = {"error": error.as_data()}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    main(Path(sys.argv[1]))
