"""Names of classes as names of folders that every system takes."""

from __future__ import annotations

import re
from collections.abc import Iterable

from transfer_core.data.safe_names import is_device


def folder_name(label: str) -> str:
    """A name that every system takes for a folder, and that leads nowhere else."""
    name = re.sub(r'[<>:"/\\|?*\x00-\x1f\x7f]', "_", label).strip().rstrip(". ")
    name = name.encode("utf-8", "replace").decode()[:100]
    if not name or name.startswith(".") or is_device(name):
        return f"_{name}"
    return name


def folder_names(labels: Iterable[str]) -> dict[str, str]:
    """A folder's name for each of `labels`, no two alike, also where upper and lower case are one; the same labels give the same names."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for label in sorted(set(labels)):
        plain = folder_name(label)
        name, number = plain, 2
        while name.casefold() in taken:
            name, number = f"{plain} ({number})", number + 1
        taken.add(name.casefold())
        names[label] = name
    return names
