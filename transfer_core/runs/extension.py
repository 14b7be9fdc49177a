"""More epochs for a run that is finished: asked for from outside, and taken by the run's next process once, whenever that is killed."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transfer_core.errors import RunError, SettingsError, storage_error
from transfer_core.files import read_json, sync_folder, write_json
from transfer_core.i18n import _
from transfer_core.runs import control
from transfer_core.runs.state import read_state
from transfer_core.training.length import Extension

if TYPE_CHECKING:
    from transfer_core.runs.folder import Run

REQUEST = "extend"
FILE = "extensions.json"
SCHEMA = 1
MOST = 1000  # epochs at a time


def ask(run: Run, epochs: int) -> None:
    """Note that the finished run is to train so many epochs more; asked again before it began, the last number counts.

    Raises RunError when it is not finished or its plan has no epochs to add, SettingsError for a number that can't be.
    """
    if run.settings.plan != "custom":
        raise RunError(
            _("Only trainings of the plan custom can be given more epochs."),
            code="not-extendable",
            file=run.folder,
            fix=_("Make a copy of it with the plan custom."),
        )
    state = read_state(run)
    if state.status != "finished":
        raise RunError(
            _("This run is not finished, so it can't be given more epochs yet."),
            code="not-finished",
            file=run.folder,
            fix=_("Resume it, or let it finish first."),
        )
    if not 1 <= epochs <= MOST:
        raise SettingsError(
            _("{count} is no number of epochs to add.").format(count=epochs),
            fix=_("Give a number from 1 to {most}.").format(most=MOST),
        )
    # The request has a name, so that one that was taken can be told from the same one asked again.
    request = {"schema": SCHEMA, "id": secrets.token_hex(8), "epochs": epochs, "after": len(state.history.epochs)}
    write_json(_request(run.folder), request)


def asked(folder: Path) -> int:
    """How many epochs more are asked for and not yet taken; 0 without a request. Raises RunError when it is damaged."""
    request = _read(_request(folder))
    return 0 if request is None or request["id"] in _taken(folder)["requests"] else int(request["epochs"])


def take(folder: Path) -> tuple[Extension, ...]:
    """Take what is asked for, for good, and give all that was ever taken, in order. Only for the process that carries the run.

    Killed anywhere in between, the next call takes what this one did not, and nothing twice.
    """
    request = _read(_request(folder))
    before = _taken(folder)
    if request is not None and request["id"] not in before["requests"]:
        before["epochs"].append(int(request["epochs"]))
        before["after"].append(request.get("after"))
        before["requests"].append(request["id"])
        write_json(folder / FILE, {"schema": SCHEMA} | before)
    withdraw(folder)
    return taken(folder)


def taken(folder: Path) -> tuple[Extension, ...]:
    """What was taken so far, in order."""
    before = _taken(folder)
    return tuple(zip(before["epochs"], before["after"], strict=True))


def planned(folder: Path, epochs: int) -> int:
    """How many epochs a run is to train at most that was planned with so many, what was added to it included."""
    for added, after in taken(folder):
        epochs = added + (epochs if after is None else after)
    return epochs


def withdraw(folder: Path) -> None:
    """Ask for no more epochs."""
    file = _request(folder)
    if not file.exists():
        return
    try:
        file.unlink(missing_ok=True)
        sync_folder(file.parent)
    except OSError as error:
        raise storage_error(error, file) from error


def _request(folder: Path) -> Path:
    return folder / control.FOLDER / REQUEST


def _taken(folder: Path) -> dict[str, list[Any]]:
    data = _read(folder / FILE) or {"epochs": [], "requests": []}
    # Earlier versions did not write down after how many epochs something was added.
    after = data.get("after", [None] * len(data["epochs"]))
    return {"epochs": list(data["epochs"]), "after": list(after), "requests": list(data["requests"])}


def _read(file: Path) -> dict[str, Any] | None:
    """What is in one of the two files, checked as far as it is used; None where it is missing."""
    if not file.exists():
        return None
    data = read_json(file, RunError)
    named = isinstance(data, dict) and ({"id", "epochs"} <= data.keys() or {"requests", "epochs"} <= data.keys())
    if not named or data.get("schema", SCHEMA) > SCHEMA:
        raise RunError(
            _("{file} does not say how many epochs to add.").format(file=file),
            code="broken-extension",
            file=file,
            fix=_("Delete it, and ask for more epochs again."),
        )
    return dict(data)
