"""What the commands that make the starter tell while they work."""

from __future__ import annotations

import sys


def say(sentence: str) -> None:
    """One sentence of progress on stderr."""
    print(sentence, file=sys.stderr, flush=True)
