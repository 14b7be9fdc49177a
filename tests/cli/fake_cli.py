"""The command `transfer-studio`, except that runs are carried by the stand-in of tests/runs and the pages are a stand-in too."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from transfer_core.cli import main, server, train
from transfer_core.runs import dispatcher, launch

FAKE_WORKER = Path(__file__).parents[1] / "runs" / "fake_worker.py"

if __name__ == "__main__":
    launch.worker_command = lambda run: [sys.executable, str(FAKE_WORKER), str(run.folder)]
    dispatcher.command = lambda: [sys.executable, str(FAKE_WORKER.with_name("fake_dispatcher.py"))]
    train.check_settings = lambda settings: None
    if "FAKE_PAGE" in os.environ:
        server.page_script = lambda: Path(os.environ["FAKE_PAGE"])
    sys.exit(main())
