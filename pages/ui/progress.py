"""How far a training is, in words and as a bar."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from pages.ui import words
from transfer_core.i18n import _
from transfer_core.runs.phases import phase_title
from transfer_core.runs.state import RunState

ICONS = {
    "queued": ":material/schedule:",
    "starting": ":material/hourglass_top:",
    "running": ":material/model_training:",
    "stopped": ":material/stop_circle:",
    "paused": ":material/pause_circle:",
    "finished": ":material/check_circle:",
    "failed": ":material/error:",
    "died": ":material/power_off:",
}


def status_word(status: str) -> str:
    """How a training stands, in a word or two."""
    return {
        "queued": _("Not begun"),
        "starting": _("Starting"),
        "running": _("Training"),
        "stopped": _("Stopped"),
        "paused": _("Paused"),
        "finished": _("Finished"),
        "failed": _("Failed"),
        "died": _("Interrupted"),
    }[status]


def badge(status: str) -> None:
    """How a training stands, as a badge."""
    colors = {"finished": "green", "failed": "red", "died": "red", "stopped": "orange", "paused": "orange", "queued": "gray"}
    st.badge(status_word(status), icon=ICONS[status], color=colors.get(status, "blue"))  # type: ignore[arg-type]


def bar(state: RunState, epochs: int = 0) -> None:
    """How far the current phase is, with its speed and the time it still takes."""
    st.progress(share(state), text=sentence(state, epochs))


def share(state: RunState) -> float:
    """How much of the current phase is done, 0 to 1."""
    told = state.history.progress or {}
    total = told.get("total") or 0
    return min(1.0, max(0.0, (told.get("done") or 0) / total)) if total else 0.0


def sentence(state: RunState, epochs: int = 0) -> str:
    """What is being done now, and in which of so many epochs."""
    history = state.history
    if history.phase is None:
        return _("Getting ready")
    told = history.progress or {}
    parts = [words.plain(phase_title(history.phase))]
    if epochs and history.phase == "train":
        epoch = min(len(history.epochs) + 1, epochs)
        parts.append(_("epoch {number} of {count}").format(number=epoch, count=epochs))
    elif "bytes_per_second" in told:
        return words.plain(phase_title(history.phase)) + " · " + download(told)
    elif told.get("total"):
        parts.append(_("{done} of {total}").format(done=f"{told.get('done') or 0:,}", total=f"{told['total']:,}"))
    if told.get("images_per_second"):
        parts.append(_("{number} pictures a second").format(number=f"{told['images_per_second']:.0f}"))
    return " · ".join(parts) + time_left(told)


def time_left(told: Mapping[str, Any]) -> str:
    """The time that is left, to be put behind the rest of a sentence; "" while it is not known, or nothing to speak of."""
    if (told.get("eta_seconds") or 0) < 1:
        return ""
    return " · " + _("about {time} left").format(time=words.duration(told["eta_seconds"]))


def download(told: Mapping[str, Any]) -> str:
    """How far a download is: bytes, speed, and the time it still takes."""
    done, total = told.get("done") or 0, told.get("total") or 0
    if total and done >= total:
        return _("{size} are here; they are being checked").format(size=words.size(total))
    parts = [_("{done} of {total}").format(done=words.size(done), total=words.size(total)) if total else words.size(done)]
    if told.get("bytes_per_second"):
        parts.append(_("{size} a second").format(size=words.size(round(told["bytes_per_second"]))))
    return " · ".join(parts) + time_left(told)
