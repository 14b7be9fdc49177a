"""A training by several processes: how many, the command that starts them, and how each notices that whoever started it is gone.

`torchrun` starts them and ends all when one ends. The run's process, whose life means the run's, is the first of them: it alone tells.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil

from transfer_core.advice.computer import card_count
from transfer_core.processes import lives, module_command
from transfer_core.runs import queue

if TYPE_CHECKING:
    from transfer_core.training.settings import RunSettings

LOOK_EVERY = 1.0  # seconds
HERE = "127.0.0.1"


def processes_for(settings: RunSettings) -> int:
    """How many processes train by these settings: as many as they say, or one for each graphics card. Other plans than custom take one."""
    if settings.plan != "custom":
        return 1
    if settings.processes:
        return settings.processes
    return max(1, card_count()) if queue.device_for(settings) == "cuda" else 1


def together(count: int, command: Sequence[str]) -> list[str]:
    """The command that starts `command`, one of Python, so many times on this computer; torch is not imported here for it."""
    if count == 1:
        return list(command)
    # The address is given, because not every computer knows itself by its own name.
    options = ["--standalone", "--local-addr", HERE, "--nproc-per-node", str(count), "--no-python"]
    return [*module_command("torch.distributed.run"), *options, *command]


@dataclass
class Starter:
    """The process that started this one; when it is gone, nobody ends the others where one of them ends."""

    pid: int
    create_time: float
    looked: float = 0.0

    @classmethod
    def of_this_process(cls) -> Starter:
        """Who started this process."""
        parent = os.getppid()
        return cls(parent, psutil.Process(parent).create_time())

    def gone(self) -> bool:
        """Whether it ended; cheap enough to be asked for every batch."""
        if time.monotonic() - self.looked < LOOK_EVERY:
            return False
        self.looked = time.monotonic()
        return not lives(self.pid, self.create_time)

    def end_with_it(self) -> None:
        """End this process within a second or two of it, whatever is being done or waited for."""
        threading.Thread(target=self._watch, daemon=True, name="starter").start()

    def _watch(self) -> None:
        while not self.gone():
            time.sleep(LOOK_EVERY)
        sys.stderr.flush()
        os._exit(2)
