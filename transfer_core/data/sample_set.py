"""The built-in sample set: drawn pictures in five classes, to try everything without pictures of one's own."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from transfer_core.data.sample_scene import draw_scene
from transfer_core.data.sample_things import THINGS
from transfer_core.errors import storage_error
from transfer_core.files import sync_folder

CLASSES = tuple(THINGS)
QUALITY = 88  # of the JPEG files


def make_sample_set(
    folder: Path, *, seed: int = 0, per_class: int = 40, progress: Callable[[int, int], None] | None = None
) -> Path:
    """Draws `per_class` pictures into folder/<class>/NNN.jpg for each of the five classes, unless the folder is there.

    Pictures are RGB, 224 to 320 pixels a side, the same ones for the same seed; 200 of them take a few seconds.
    `progress` is told how many are done of how many. The folder appears complete or not at all; returns it. Raises
    StorageError when the disk refuses.
    """
    if folder.is_dir():
        return folder
    partial = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.partial")
    total = len(CLASSES) * per_class
    try:
        partial.mkdir(parents=True)
        for number, name in enumerate(CLASSES):
            (partial / name).mkdir()
            for index in range(per_class):
                picture = draw_scene(THINGS[name], np.random.default_rng([seed, number, index]))
                picture.save(partial / name / f"{index + 1:03}.jpg", quality=QUALITY)
                if progress is not None:
                    progress(number * per_class + index + 1, total)
        try:
            partial.rename(folder)
        except OSError:
            # Another process may have finished the same set meanwhile: then there is nothing left to do.
            if not folder.is_dir():
                raise
        sync_folder(folder.parent)
    except OSError as error:
        raise storage_error(error, folder) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder
