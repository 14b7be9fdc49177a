"""The worker of a run, with the tests' small backbone: what torchrun starts in tests, several times."""

from __future__ import annotations

import sys

from tests.training.conftest import shrunk
from transfer_core.backbones import catalogue
from transfer_core.runs import worker

if __name__ == "__main__":
    infos = shrunk()
    catalogue._read = lambda: infos  # type: ignore[assignment]
    sys.exit(worker.main())
