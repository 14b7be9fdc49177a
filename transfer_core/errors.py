"""What can go wrong, as sentences for people: one thin tree under `TransferError`."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any


class TransferError(Exception):
    """A problem told to the user: what was wrong, with which file or field, and what to do.

    `code` is stable and in kebab-case; `message` and `fix` are whole sentences, already translated.
    """

    default_code = "error"

    def __init__(self, message: str, *, code: str | None = None, file: Path | str | None = None, fix: str | None = None):
        message = _printable(message)
        super().__init__(message)
        self.code = code or self.default_code
        self.message = message
        self.file = _printable(str(file)) if file is not None else None
        self.fix = _printable(fix) if fix is not None else None

    def as_data(self) -> dict[str, Any]:
        """The error as `{"code", "message", "file", "fix"}`, for events and `--json`."""
        return {"code": self.code, "message": self.message, "file": self.file, "fix": self.fix}

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> TransferError:
        """The error that `as_data` wrote down."""
        return cls(data["message"], code=data.get("code"), file=data.get("file"), fix=data.get("fix"))

    def __str__(self) -> str:
        return " ".join(part for part in (self.message, self.fix) if part)


def _printable(text: str) -> str:
    """`text` with a ? for each byte of a file name that is no text: those can be neither printed nor written down."""
    return text.encode("utf-8", "replace").decode()


class ImageError(TransferError):
    """A picture that can't be used."""

    default_code = "image"


class DataError(TransferError):
    """A folder, project or sample table that can't be used."""

    default_code = "data"


class BackboneError(TransferError):
    """A backbone that is not known or can't do what was asked."""

    default_code = "backbone"


class WeightsError(TransferError):
    """Weights that are missing, broken, unsafe or of another architecture."""

    default_code = "weights"


class SettingsError(TransferError):
    """Settings that don't fit; the message tells all problems at once."""

    default_code = "settings"


class ModelError(TransferError):
    """A model folder that can't be read or answered from."""

    default_code = "model"


class RunError(TransferError):
    """A run that can't be started, found or continued."""

    default_code = "run"


class StorageError(TransferError):
    """A file that can't be written: disk full, no permission, too large for the file system."""

    default_code = "storage"


# A file-size limit (EFBIG) and a quota (EDQUOT) are, to the user, the same thing as a full disk.
FULL_DISK = frozenset({errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)})


def storage_error(error: OSError, file: Path | str) -> StorageError:
    """The `StorageError` that tells of `error`, raised while `file` was written."""
    from transfer_core.i18n import _

    if error.errno in FULL_DISK:
        return StorageError(
            _("There is no space left to write {file}.").format(file=file),
            code="disk-full",
            file=file,
            fix=_("Free some space on this disk, then resume the run: nothing that was finished is lost."),
        )
    return StorageError(
        _("{file} can't be written: {reason}.").format(file=file, reason=error.strerror or error),
        file=file,
        fix=_("Check that the folder exists and that you may write into it."),
    )


def newer_schema(kind: type[TransferError], file: Path | str) -> TransferError:
    """The error, of that kind, for a file whose format is newer than this program."""
    from transfer_core.i18n import _

    return kind(
        _("{file} was written by a newer version of this program.").format(file=file),
        code="newer-schema",
        file=file,
        fix=_("Update Transfer Studio."),
    )
