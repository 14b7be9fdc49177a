"""What a process asks of the system: memory that it holds on to, or gives back at once."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

FAULTS = """
import resource
import numpy as np
from transfer_core.processes import {function}
{function}()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    np.empty(64 * 2**20, np.uint8).fill(1)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def pages_asked_for(function: str) -> int:
    """How many pages of memory twenty arrays of 64 MiB, one after the other, have the system hand out."""
    # Pages of one size, whatever NumPy would ask for.
    environment = os.environ | {"NUMPY_MADVISE_HUGEPAGE": "0"}
    command = [sys.executable, "-c", FAULTS.format(function=function)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="an option of the C library of most Linuxes")
def test_memory_is_held_or_spared() -> None:
    """Held, the second array is where the first one was; spared, each is handed out anew."""
    held, spared = pages_asked_for("hold_memory"), pages_asked_for("spare_memory")
    assert spared > 10 * held
