"""What jobs do: long work that is not a training, one function a kind."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from transfer_core.backbones.weights import fetch
from transfer_core.data.project import Project
from transfer_core.errors import RunError
from transfer_core.i18n import _
from transfer_core.images.augmentation import Augmentation
from transfer_core.processes import usable_cores
from transfer_core.runs.jobs import find_job
from transfer_core.runs.last_backbone import weights_at_hand, weights_of_last_run
from transfer_core.training.context import Stopped

if TYPE_CHECKING:
    from transfer_core.advice.findings import Findings
    from transfer_core.advice.map_file import PictureMap
    from transfer_core.advice.measuring import Progress
    from transfer_core.advice.passes import Tell
    from transfer_core.data.export import Copied
    from transfer_core.training.context import Emit
    from transfer_core.training.rate_curve import RateCurve

    ShouldStop = Callable[[], bool]
    Checkpoint = Callable[[], None]
    Kind = Callable[[dict[str, Any], Emit, ShouldStop], dict[str, Any]]

T = TypeVar("T")


def fetch_weights(arguments: dict[str, Any], emit: Emit, should_stop: ShouldStop) -> dict[str, Any]:
    """Download the weights of `arguments["backbone"]`; raises WeightsError, with the code `stopped` when it was asked to stop."""
    emit("phase", name="weights")
    pace = Pace()

    def progress(done: int, total: int) -> None:
        speed = pace.speed(done)
        emit(
            "progress",
            done=done,
            total=total,
            bytes_per_second=round(speed) if speed else None,
            eta_seconds=round((total - done) / speed, 1) if speed and total else None,
        )

    kept = fetch(str(arguments["backbone"]), progress, should_stop)
    return {"backbone": kept.backbone, "digest": kept.digest, "source": kept.source, "file": str(kept.file)}


def choose_backbone(arguments: dict[str, Any], emit: Emit, should_stop: ShouldStop) -> dict[str, Any]:
    """Which backbone suits the pictures of the project in `arguments["project"]`: those that are here, and the named ones of `download`.

    The report is the choice, and `fingerprint`, which says whether the pictures are still the same. What was computed when it is stopped
    stays on the disk. Raises DataError where there is nothing to compare on, RunError (stopped).
    """
    from transfer_core.advice.candidates import candidate, candidates
    from transfer_core.advice.choose import choose
    from transfer_core.backbones.catalogue import backbone_info
    from transfer_core.data.scan import check_trainable

    project = Project.open(Path(str(arguments["project"])))
    check_trainable(project)
    fingerprint = project.table.fingerprint()
    among = candidates()
    here = {each.backbone for each in among}
    among += [candidate(backbone_info(name), None) for name in arguments.get("download", ()) if name not in here]
    phases = PhaseTeller(emit)

    def progress(told: Progress) -> None:
        phases.enter("features" if told.candidate else "decode")
        label = told.candidate.label if told.candidate else None
        eta = None if told.eta_seconds is None else round(told.eta_seconds, 1)
        emit("progress", done=told.done, total=told.total, eta_seconds=eta, candidate=label)

    threads = int(arguments.get("threads", 0))
    work = partial(choose, project, among, threads=threads, progress=progress)
    found = _unless_stopped(should_stop, lambda checkpoint: work(checkpoint=checkpoint))
    return found.as_data() | {"fingerprint": fingerprint}


def check_pictures(arguments: dict[str, Any], emit: Emit, should_stop: ShouldStop) -> dict[str, Any]:
    """Have the doctor examine the project in `arguments["project"]`, with the weights of its last training if they are here.

    The report says how many findings there are; they themselves are kept with the project. What was computed when it is stopped stays on
    the disk. Raises DataError and StorageError, RunError (stopped).
    """
    from transfer_core.advice.doctor import examine

    project = Project.open(Path(str(arguments["project"])))
    weights = weights_of_last_run(project.folder)

    def work(tell: Tell, checkpoint: Checkpoint) -> Findings:
        return examine(project, weights, progress=tell, checkpoint=checkpoint)

    findings = _as_asked(emit, should_stop, work)
    return {"findings": len(findings.found), "backbone": findings.backbone}


def draw_map(arguments: dict[str, Any], emit: Emit, should_stop: ShouldStop) -> dict[str, Any]:
    """The map of the pictures of the project in `arguments["project"]`, by the backbone of its last run, else the starter.

    The report says how many pictures are on it and how far nearness there can be believed. Raises DataError, RunError (stopped).
    """
    from transfer_core.advice.picture_map import make_map

    project = Project.open(Path(str(arguments["project"])))
    weights, threads = weights_at_hand(project.folder), usable_cores()

    def work(tell: Tell, checkpoint: Checkpoint) -> PictureMap:
        return make_map(project, weights, threads, tell, checkpoint)

    made = _as_asked(emit, should_stop, work)
    return {"pictures": len(made.contents), "backbone": made.backbone, "kept": round(made.kept, 4)}


def copy_pictures(arguments: dict[str, Any], emit: Emit, should_stop: ShouldStop) -> dict[str, Any]:
    """Copy the pictures in use of the project in `arguments["project"]` into `arguments["folder"]`, one folder a class, `by_split` or not.

    Raises DataError for a folder that may not be written to, StorageError, RunError (stopped); what was copied by then stays.
    """
    from transfer_core.data.export import to_folders

    project = Project.open(Path(str(arguments["project"])))
    folder, by_split = Path(str(arguments["folder"])), bool(arguments.get("by_split"))

    def work(tell: Tell, checkpoint: Checkpoint) -> Copied:
        return to_folders(project, folder, by_split, partial(tell, "copy"), checkpoint)

    return _as_asked(emit, should_stop, work).as_data()


def show_examples(arguments: dict[str, Any], emit: Emit, should_stop: ShouldStop) -> dict[str, Any]:
    """Examples of the `augmentation` in `arguments`, on `count` pictures of `project`, drawn from `seed`: as JPEGs in the job's own folder.

    The report has a row a picture: its class and the names of its files, the picture as it is first. Raises DataError, RunError (stopped).
    """
    from transfer_core.advice.examples import make_examples
    from transfer_core.backbones.catalogue import backbone_info

    project = Project.open(Path(str(arguments["project"])))
    job = find_job("preview", arguments, project.folder)
    if job is None:
        raise RunError(_("There is no job that asks for these examples."), code="no-job")
    # What the last training looked at: its pixels are decoded already.
    view = backbone_info(weights_at_hand(project.folder).backbone).view
    augmentation, count, seed = Augmentation.from_data(arguments["augmentation"]), int(arguments["count"]), int(arguments["seed"])
    work = partial(make_examples, project, view, augmentation, count, seed, job.folder / "examples")
    drawn = _unless_stopped(should_stop, lambda checkpoint: work(checkpoint=checkpoint))
    return {"rows": [{"label": label, "files": [f"examples/{file.name}" for file in files]} for label, files in drawn]}


def find_rate(arguments: dict[str, Any], emit: Emit, should_stop: ShouldStop) -> dict[str, Any]:
    """Which learning rate suits a training of `arguments["project"]` by `settings`: the loss against the rising rate, and a suggestion.

    The report is the curve, and `fingerprint`: whether the pictures are still the same. Raises SettingsError, RunError (stopped), and what
    a training raises before its first step.
    """
    from transfer_core.training.rate_finder import find_rate as find
    from transfer_core.training.settings import RunSettings

    project = Project.open(Path(str(arguments["project"])))
    settings = RunSettings.check(dict(arguments["settings"]))
    fingerprint = project.table.fingerprint()

    def work(_checkpoint: Checkpoint) -> RateCurve:
        return find(project, settings, emit, lambda: "stop" if should_stop() else None)

    return _unless_stopped(should_stop, work).as_data() | {"fingerprint": fingerprint}


def _as_asked(emit: Emit, should_stop: ShouldStop, work: Callable[[Tell, Checkpoint], T]) -> T:
    """What `work(tell, checkpoint)` comes to, its progress told with the time left; raises RunError (stopped) once it is asked to stop."""
    phases = PhaseTeller(emit)
    paces: dict[str, Pace] = defaultdict(Pace)

    def tell(phase: str, done: int, total: int) -> None:
        phases.enter(phase)
        speed = paces[phase].speed(done)
        emit("progress", done=done, total=total, eta_seconds=round((total - done) / speed, 1) if speed else None)

    return _unless_stopped(should_stop, partial(work, tell))


def _unless_stopped(should_stop: ShouldStop, work: Callable[[Checkpoint], T]) -> T:
    """What `work(checkpoint)` comes to; raises RunError (stopped) once it is asked to stop."""

    def checkpoint() -> None:
        # Not a TransferError: a choice takes those as a word about one candidate, and goes on with the next.
        if should_stop():
            raise Stopped

    try:
        return work(checkpoint)
    except Stopped:
        raise RunError(_("It was stopped."), code="stopped") from None


def inspect_file(arguments: dict[str, Any], emit: Emit, should_stop: ShouldStop) -> dict[str, Any]:
    """What the file of weights in `arguments["file"]` is good for; raises WeightsError for what can't be read."""
    from transfer_core.backbones.inspection import inspect_weights

    backbone = arguments.get("backbone")
    return inspect_weights(Path(str(arguments["file"])), str(backbone) if backbone else None).as_data()


def prepare_timm(arguments: dict[str, Any], emit: Emit, should_stop: ShouldStop) -> dict[str, Any]:
    """Write down what the installed timm has, for the catalogue; raises RunError (stopped)."""
    from transfer_core.backbones.timm_catalogue import write

    pace = Pace()

    def progress(done: int, total: int) -> None:
        speed = pace.speed(done)
        emit("progress", done=done, total=total, eta_seconds=round((total - done) / speed, 1) if speed else None)

    count = write(progress, should_stop)
    if should_stop():
        raise RunError(_("It was stopped."), code="stopped")
    return {"backbones": count}


class PhaseTeller:
    """Tells of a phase when it begins, and not again while it goes on."""

    def __init__(self, emit: Emit):
        self._emit, self._last = emit, ""

    def enter(self, name: str) -> None:
        """The work is in phase `name` now."""
        if name != self._last:
            self._emit("phase", name=name)
            self._last = name


# A kind is given the job's arguments, its `emit`, and what says that it was asked to stop; it returns the job's report.
KINDS: dict[str, Kind] = {
    "check": check_pictures,
    "choose": choose_backbone,
    "copy": copy_pictures,
    "fetch": fetch_weights,
    "inspect": inspect_file,
    "map": draw_map,
    "preview": show_examples,
    "rate": find_rate,
    "timm": prepare_timm,
}


class Pace:
    """The speed of something that is counted, over the last seconds: a line that slows down is seen to."""

    WINDOW = 5.0  # seconds

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def speed(self, done: int, now: float | None = None) -> float | None:
        """Pieces a second, now that `done` are there; None while it is not known."""
        now = time.monotonic() if now is None else now
        self._seen.append((now, done))
        while len(self._seen) > 2 and self._seen[1][0] < now - self.WINDOW:
            self._seen.popleft()
        start, before = self._seen[0]
        return (done - before) / (now - start) if now > start and done > before else None
