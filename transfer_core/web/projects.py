"""How an address names a project."""

from __future__ import annotations

import os
from pathlib import Path

from transfer_core.data.project import FILE, Project
from transfer_core.errors import DataError
from transfer_core.i18n import _
from transfer_core.places import home
from transfer_core.web import access


def project_key(folder: Path) -> str:
    """How the address names the project in `folder`: short for ours, the path for one elsewhere."""
    return folder.name if folder.parent == home() else str(folder)


def project_named(key: str) -> Project:
    """The project that an address names; raises DataError when it is not there.

    While the pages are shared, only those in `home()` are.
    """
    for folder in (home() / key, Path(key)):
        # A path's parent is told by its text alone: the home folder's own parent, written as `..`, would pass for a folder in it.
        allowed = (folder.parent == home() and folder.name != "..") or not access.current().shared
        if allowed and folder.is_absolute() and os.path.isfile(folder / FILE):  # noqa: PTH113 (Path raises for a name too long)
            return Project.open(folder)
    raise DataError(
        _("There is no project {name} here (any more).").format(name=key),
        code="no-such-project",
        fix=_("Choose one on the home page."),
    )
