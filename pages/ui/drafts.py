"""What the user has set for the next training and not begun yet: on disk, so that it outlives the tab and the server."""

from __future__ import annotations

from typing import Any

from transfer_core.data.project import Project
from transfer_core.errors import SettingsError, TransferError
from transfer_core.files import read_json, write_json
from transfer_core.training.settings import RunSettings

FILE = "draft.json"


def read(project: Project) -> RunSettings:
    """The settings for the next training; what is damaged or not known (any more) is as in a new project."""
    try:
        saved = read_json(project.folder / FILE)
    except TransferError:
        return RunSettings()
    settings: dict[str, Any] = {}
    for name, value in saved.items() if isinstance(saved, dict) else ():
        try:
            RunSettings.check({name: value})
        except SettingsError:
            continue
        settings[name] = value
    return RunSettings.check(settings)


def change(project: Project, **changes: Any) -> RunSettings:
    """Set some of the settings; raises SettingsError, StorageError."""
    settings = RunSettings.check(read(project).model_dump() | changes)
    write_json(project.folder / FILE, settings.model_dump())
    return settings
