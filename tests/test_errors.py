from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest

from transfer_core import errors
from transfer_core.errors import DataError, StorageError, TransferError, storage_error


def test_an_error_survives_as_data() -> None:
    """Events and `--json` carry an error as data; whoever reads it gets the same one back."""
    error = DataError("There is nothing.", code="no-images", file=Path("a folder"), fix="Choose another.")
    data = json.loads(json.dumps(error.as_data()))
    assert data == {"code": "no-images", "message": "There is nothing.", "file": "a folder", "fix": "Choose another."}
    again = DataError.from_data(data)
    assert isinstance(again, DataError) and again.as_data() == data
    assert str(error) == "There is nothing. Choose another."


def test_every_error_is_a_transfer_error_with_a_code_of_its_own() -> None:
    """One `except TransferError` catches them all, and a code tells them apart."""
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, TransferError)]
    assert len(kinds) == 9
    assert len({kind("x").code for kind in kinds}) == len(kinds)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EFBIG, errno.EDQUOT])
def test_a_full_disk_is_told_as_one(number: int) -> None:
    """A full disk, a quota and a limit on file sizes are the same thing to the user, with a cure."""
    error = storage_error(OSError(number, "system words"), "features.bin")
    assert isinstance(error, StorageError) and error.code == "disk-full"
    assert "features.bin" in error.message and error.fix


def test_another_refusal_says_the_systems_reason() -> None:
    """What is not a full disk is not called one."""
    error = storage_error(PermissionError(errno.EACCES, "Permission denied"), "x")
    assert error.code == "storage" and "Permission denied" in error.message
