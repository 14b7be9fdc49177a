"""`train --find-rate`: which learning rate suits, shown as it is searched for."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from transfer_core.cli import output
from transfer_core.cli.watch import Live
from transfer_core.i18n import _

if TYPE_CHECKING:
    from transfer_core.data.project import Project
    from transfer_core.training.settings import RunSettings


def search(project: Project, settings: RunSettings, as_json: bool) -> int:
    """Search in this process, and print the suggestion, or with `--json` the whole curve. Ctrl-C ends it; nothing is left behind."""
    # As for runs in processes of their own, and before torch is loaded: threads that wait for each other sleep.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from transfer_core.training.rate_finder import find_rate

    live = Live(sys.stderr)

    def emit(event: str, /, **fields: Any) -> None:
        live.on_event({"event": event, **fields})

    try:
        curve = find_rate(project, settings, emit, lambda: None)
    finally:
        live.close()
    if as_json:
        output.answer(curve.as_data())
        return 0
    output.line(curve.verdict)
    if curve.suggestion is not None:
        output.say(_("Train with it: {setting}").format(setting=f"--set learning_rate={curve.suggestion:g}"))
    return 0
