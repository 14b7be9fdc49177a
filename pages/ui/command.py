"""The command that does from a terminal what a page does."""

from __future__ import annotations

import shlex
import sys
from subprocess import list2cmdline

from transfer_core.data.project import Project
from transfer_core.training.settings import RunSettings

# These have options of their own; all others are given with --set.
_OPTIONS = ("plan", "backbone", "weights", "device", "threads", "seed")


def train(project: Project, settings: RunSettings) -> str:
    """`transfer-studio train` for these settings, quoted for this system's shell; what is as by default is left out."""
    words = ["transfer-studio", "train", str(project.folder)]
    default = RunSettings()
    for name in _OPTIONS:
        value = getattr(settings, name)
        if value != getattr(default, name) or name == "plan":
            words += [f"--{name}", str(value)]
    for name in RunSettings.model_fields:
        value = getattr(settings, name)
        if name not in _OPTIONS and value != getattr(default, name):
            words += ["--set", f"{name}={str(value).lower() if isinstance(value, bool) else value}"]
    return list2cmdline(words) if sys.platform == "win32" else shlex.join(words)
