"""`train`: from a folder of pictures to a model."""

from __future__ import annotations

import argparse
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transfer_core.cli import reading
from transfer_core.cli.settings_help import settings_help
from transfer_core.cli.words import Commands, add_command
from transfer_core.errors import SettingsError, TransferError
from transfer_core.i18n import _

if TYPE_CHECKING:
    from transfer_core.data.project import Project
    from transfer_core.training.settings import RunSettings

OPTIONS = ("plan", "backbone", "weights", "device", "threads", "seed")


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    summary = _("train a model on a folder of pictures")
    parser = add_command(commands, "train", summary, "train flowers --backbone resnet18", more=settings_help)
    parser.add_argument(
        "data",
        metavar="DATA",
        type=Path,
        help=_("a folder with a sub-folder per class, or with train, val and test above them; a zip, a CSV or TSV; or a project"),
    )
    parser.add_argument(
        "--test", metavar="DIR", type=Path, help=_("a folder of pictures to test on, with a sub-folder per class")
    )
    reading.add_arguments(parser)
    parser.add_argument(
        "--plan",
        metavar="{quick,better,best,custom}",
        help=_(
            "quick fits a head in seconds; better then trains the last stages, best then all of them; custom trains by your own settings"
        ),
    )
    parser.add_argument("--backbone", metavar="NAME", help=_("the pretrained network to start from; starter is built in"))
    parser.add_argument(
        "--weights", metavar="FILE", help=_("the backbone's parameters: a state dict for torchvision's network of that name")
    )
    parser.add_argument(
        "--config", metavar="FILE.toml", type=Path, help=_("settings from a file, such as the config.toml of another run")
    )
    parser.add_argument(
        "--set",
        metavar="key=value",
        action="append",
        default=[],
        help=_("one setting of those below; may be given several times"),
    )
    parser.add_argument(
        "--find-rate",
        action="store_true",
        help=_("find a learning rate for these settings in place of training, and print it; for the plan custom"),
    )
    parser.add_argument("--out", metavar="DIR", type=Path, help=_("the run's folder, whose model/ is the result"))
    parser.add_argument("--device", metavar="{auto,cpu,cuda}", help=_("where to train"))
    parser.add_argument("--threads", metavar="N", type=int, help=_("processor cores to use; 0 takes all"))
    parser.add_argument("--seed", metavar="N", type=int, help=_("where chance starts from; the same seed gives the same model"))
    parser.add_argument("--queue", action="store_true", help=_("return at once; the run begins when its turn comes"))
    parser.set_defaults(run_command=run)


def run(options: argparse.Namespace) -> int:
    """Train, showing how it goes, and print the report."""
    from transfer_core.cli.watch import begin_and_watch, leave_in_queue
    from transfer_core.runs import dispatcher
    from transfer_core.runs.folder import Run, create_run

    # Everything that can be known to be wrong is told before anything is made.
    settings = settings_of(options)
    check_settings(settings)
    if options.find_rate:
        return find_rate(options, settings)
    project = project_of(options)

    def begin() -> Run:
        run = create_run(project, settings, options.out)
        dispatcher.submit(run)
        return run

    return leave_in_queue(begin(), options.json) if options.queue else begin_and_watch(begin, options.json)


def find_rate(options: argparse.Namespace, settings: RunSettings) -> int:
    """Print which learning rate suits the settings. No run is made."""
    from transfer_core.cli.rate import search
    from transfer_core.training.rate_curve import check_steps

    check_steps(settings)
    if options.out is not None:
        raise TransferError(
            _("A search for a learning rate makes no run, --out does not go with it."), code="usage", fix=_("Leave --out out.")
        )
    return search(project_of(options), settings, options.json)


def settings_of(options: argparse.Namespace) -> RunSettings:
    """The settings asked for: the file's, then those of `--set`, then the options'; raises SettingsError."""
    from transfer_core.training.settings import RunSettings

    values: dict[str, Any] = {}
    if options.config is not None:
        values |= RunSettings.read(options.config).model_dump(exclude_defaults=True)
        _make_absolute(values, options.config.absolute().parent)
    given = dict(_assignment(text) for text in options.set)
    given |= {name: getattr(options, name) for name in OPTIONS if getattr(options, name) is not None}
    _make_absolute(given, Path.cwd())
    return RunSettings.check(values | given)


def check_settings(settings: RunSettings) -> None:
    """Raise what is wrong with the settings' backbone or its file."""
    from transfer_core.backbones.catalogue import backbone_info
    from transfer_core.backbones.inspection import is_brought

    settings.check_fit(backbone_info(settings.backbone))
    if settings.weights is not None and not is_brought(Path(settings.weights)):
        raise SettingsError(
            _("The weights {file} are not there.").format(file=settings.weights),
            code="no-such-file",
            file=settings.weights,
            fix=_("Check the name, or leave --weights out to use the kept or downloaded ones."),
        )


def project_of(options: argparse.Namespace) -> Project:
    """The project of the given folder, archive or table; raises DataError."""
    from transfer_core.data.project import FILE, Project

    data = options.data.expanduser()
    if not (data / FILE).exists():
        return reading.project_at(data, options.test, options.labels, options.group)
    if options.test is not None:
        raise TransferError(
            _("A project knows its test pictures, --test does not go with it."),
            code="usage",
            file=data,
            fix=_("Leave --test out, or give the folder of the pictures in place of the project."),
        )
    if options.labels is not None or options.group is not None:
        raise TransferError(
            _("A project knows how its classes are told, --labels and --group don't go with it."),
            code="usage",
            file=data,
            fix=_("Leave them out, or give the folder of the pictures in place of the project."),
        )
    return Project.open(data)


def _assignment(text: str) -> tuple[str, Any]:
    """A `key=value`, its value read as TOML where it is TOML, else as text."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise SettingsError(
            _("--set {text} is no setting.").format(text=text),
            code="usage",
            fix=_("Write it as key=value, such as --set epochs=5."),
        )
    try:
        return name.strip(), tomllib.loads(f"value = {value.strip()}")["value"]
    except tomllib.TOMLDecodeError:
        return name.strip(), value.strip()


def _make_absolute(values: dict[str, Any], folder: Path) -> None:
    # The run's process works in another folder.
    if isinstance(values.get("weights"), str):
        values["weights"] = str(folder / Path(values["weights"]).expanduser())
