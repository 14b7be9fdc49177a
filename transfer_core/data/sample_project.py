"""The built-in sample as a project: drawn on first use, found again after."""

from __future__ import annotations

from transfer_core.data.project import Project
from transfer_core.data.sample_set import make_sample_set
from transfer_core.places import own_folder


def sample_project() -> Project:
    """The project of the built-in sample set; its pictures are made when they are not there yet."""
    return Project.for_source(make_sample_set(own_folder("sample") / "sample"))
