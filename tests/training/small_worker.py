"""The worker of a run, with the tests' small backbone and without dropout: what torchrun starts in tests, several times."""

from __future__ import annotations

import atexit
import os
import sys
from dataclasses import replace

from torch import Tensor, nn

from transfer_core.backbones import catalogue
from transfer_core.runs import worker

ABORTS = "RANK_THAT_ABORTS"  # on its way out, as torch's threads have Python do now and then


def as_it_is(_module: nn.Dropout, given: Tensor) -> Tensor:
    return given


if __name__ == "__main__":
    infos = dict(catalogue._read())
    infos["mobilenet_v3_small"] = replace(infos["mobilenet_v3_small"], crop=48, resize=56)
    catalogue._read = lambda: infos  # type: ignore[assignment]
    # Each process drops others, as it should; what several learn could not be held against what one does.
    nn.Dropout.forward = as_it_is  # type: ignore[method-assign]
    if os.environ.get(ABORTS) == os.environ.get("RANK"):
        atexit.register(os.abort)
    sys.exit(worker.main())
