"""The folder that published files arrive in: one process at a time for each, and what is left of those that broke off."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from transfer_core.backbones.catalogue import backbone_info, catalogue
from transfer_core.backbones.download import Progress, ShouldStop, check_stop, download
from transfer_core.backbones.partial import Partial
from transfer_core.backbones.published import Published
from transfer_core.errors import storage_error
from transfer_core.files import digest_of
from transfer_core.places import weights_folder

LOOK_AGAIN = 0.5  # seconds between looks at how far the process has come that downloads the same file


def place_of(name: str) -> Path:
    """Where a published file of that name arrives; raises StorageError when the folder can't be made."""
    folder = weights_folder() / "downloads"
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise storage_error(error, folder) from error
    return folder / name


@contextlib.contextmanager
def alone(place: Path, size: int, progress: Progress | None = None, should_stop: ShouldStop | None = None) -> Iterator[None]:
    """Wait for the process that downloads the same file of about `size` bytes, and show how far it has come.

    Raises WeightsError (stopped) and StorageError.
    """
    lock, partial = _lock(place), Partial(place)
    while True:
        try:
            lock.acquire(timeout=LOOK_AGAIN)
            break
        except Timeout:
            check_stop(partial, should_stop)
            if progress:
                progress(partial.size, size)
        except OSError as error:
            raise storage_error(error, place) from error
    try:
        yield
    finally:
        lock.release()


def bring(file: Published, place: Path, progress: Progress | None = None, should_stop: ShouldStop | None = None) -> None:
    """Have the published file lie whole at `place`; raises what `download` does.

    It may lie there already: the process that downloaded it was interrupted before it had kept the weights.
    """
    expected = file.hash_beginning
    if not (expected and place.exists() and digest_of(place).startswith(expected)):
        download(file.nearest, expected, place, progress, should_stop, published_at=file.address)


def unfinished_downloads() -> dict[str, int]:
    """Bytes of downloads that broke off or are going on, by the backbone's name."""
    folder = weights_folder() / "downloads"
    begun = {info.name: _size(folder / info.weights_file) for info in catalogue().values() if info.weights_file}
    return {name: size for name, size in begun.items() if size}


def discard_download(backbone: str) -> bool:
    """Throw away what is here of a download that broke off; says whether there was anything. Not while it is going on."""
    info = backbone_info(backbone)
    if not info.weights_file:
        return False
    place = place_of(info.weights_file)
    if not _size(place):
        return False
    try:
        with _lock(place).acquire(timeout=0):
            Partial(place).discard()
            place.unlink(missing_ok=True)
    except Timeout:
        return False
    except OSError as error:
        raise storage_error(error, place) from error
    return True


def _size(place: Path) -> int:
    try:
        return place.stat().st_size
    except OSError:
        return Partial(place).size


def _lock(place: Path) -> FileLock:
    return FileLock(place.with_name(f"{place.name}.lock"))
