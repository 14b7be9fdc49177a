"""A limit in seconds is meant for an ordinary laptop; on a slower computer it is as much longer as plain Python takes longer there."""

from __future__ import annotations

import json
import time
from functools import cache

ORDINARY = 0.03  # seconds, an estimate: about half of what two cores of a server without AVX-512 take


@cache
def slowness() -> float:
    """How many times longer than on an ordinary laptop fixed work takes here, at least 1: no limit gets tighter on a fast computer."""
    return max(1.0, min(_seconds_of_fixed_work() for _try in range(7)) / ORDINARY)


def _seconds_of_fixed_work() -> float:
    began = time.process_time()
    rows = [{"name": f"picture {number}", "sides": [number, number / 3], "kind": number % 7} for number in range(8_000)]
    again = json.loads(json.dumps(rows))
    again.sort(key=lambda row: (row["kind"], row["name"]))
    kept = {row["name"]: sum(row["sides"]) for row in again if "9" in row["name"]}
    assert len(kept) < len(rows)
    return time.process_time() - began
