"""The map of a project's pictures as it is kept: by content, so that no edit undoes it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from transfer_core.data.project import Project
from transfer_core.files import write_bytes
from transfer_core.rows import KEY_BYTES

SCHEMA = 1


@dataclass(frozen=True)
class PictureMap:
    """Where pictures lie: `places` float32 `[N, 2]` of `contents`, told by the features of `backbone`.

    `kept` is the share, 0 to 1, of a picture's ten most similar ones that are among its ten nearest on the map. The first `laid_out`
    are from every class in its share, and enough to be drawn; the others were put among them.
    """

    contents: list[str]
    places: NDArray[np.float32]
    backbone: str
    kept: float
    laid_out: int


def map_file(project: Project) -> Path:
    """Where the map lies: it changes when a new one is made."""
    return project.cache / "map.safetensors"


def write_map(project: Project, made: PictureMap) -> None:
    """Keep the map in the project's cache; raises StorageError."""
    contents = np.frombuffer(bytes.fromhex("".join(made.contents)), np.uint8).reshape(-1, KEY_BYTES)
    about = {"schema": str(SCHEMA), "backbone": made.backbone, "kept": f"{made.kept:.4f}", "laid_out": str(made.laid_out)}
    write_bytes(map_file(project), save({"contents": contents.copy(), "places": made.places}, about))


def read_map(project: Project) -> PictureMap | None:
    """The map that was made last, or None: there is none yet, or its file is damaged or of a newer program, which is as good as none."""
    try:
        with safe_open(map_file(project), framework="numpy") as file:
            about = file.metadata() or {}
            contents, places = file.get_tensor("contents"), file.get_tensor("places")
        if int(about["schema"]) > SCHEMA or contents.shape != (len(places), KEY_BYTES) or places.shape[1:] != (2,):
            return None
        names = [row.tobytes().hex() for row in contents]
        return PictureMap(names, places, about["backbone"], float(about["kept"]), int(about["laid_out"]))
    except (OSError, SafetensorError, KeyError, ValueError):
        return None
