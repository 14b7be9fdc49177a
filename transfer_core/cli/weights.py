"""`weights`: the parameters of backbones that are on this computer, and how more get here."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transfer_core.cli import output
from transfer_core.cli.words import Commands, add_command
from transfer_core.errors import WeightsError
from transfer_core.i18n import _, ngettext

if TYPE_CHECKING:
    from transfer_core.backbones.catalogue import BackboneInfo
    from transfer_core.backbones.inspection import Inspection
    from transfer_core.backbones.weights import KeptWeights

NAMED = 5  # names of parameters in one line


def add(commands: Commands) -> None:
    """Add the commands to the parser."""
    group = add_command(commands, "weights", _("list, fetch, add or remove weights"), "weights list", json=False)
    actions = group.add_subparsers(title=_("commands"), metavar=_("COMMAND"), required=True)
    listing = add_command(actions, "list", _("list the weights on this computer"), "weights list")
    listing.set_defaults(run_command=list_them)
    fetching = add_command(actions, "fetch", _("download the weights of backbones"), "weights fetch resnet50")
    fetching.add_argument("backbones", nargs="+", metavar="BACKBONE", help=_("a name that the command backbones lists"))
    fetching.set_defaults(run_command=fetch_them)
    adding = add_command(actions, "add", _("check a file of weights and keep what is of a backbone"), "weights add own.pth")
    adding.add_argument(
        "file", type=Path, metavar="FILE", help=_("a state dict (.pth, .pt, .safetensors), or a model folder of this program")
    )
    adding.add_argument("--backbone", metavar="NAME", help=_("the backbone they are for; recognised without it"))
    adding.add_argument("--check", action="store_true", help=_("only say what fits; keep nothing"))
    adding.set_defaults(run_command=add_them)
    removing = add_command(actions, "remove", _("delete weights from this computer"), "weights remove resnet50")
    removing.add_argument(
        "which", nargs="+", metavar="NAME_OR_DIGEST", help=_("a backbone, for all of its weights, or the beginning of a digest")
    )
    removing.set_defaults(run_command=remove_them)


def list_them(options: argparse.Namespace) -> int:
    """Print the weights that are here."""
    from transfer_core.backbones.downloads import unfinished_downloads
    from transfer_core.backbones.weights import kept_weights

    kept, unfinished = kept_weights(), unfinished_downloads()
    if options.json:
        begun = [{"name": name, "done": done} for name, done in unfinished.items()]
        output.answer({"weights": [entry(each) for each in kept], "unfinished": begun})
        return 0
    rows = [
        [each.backbone, each.digest[:12], output.megabytes(each.size), output.shown(each.source) or _("built in")]
        for each in kept
    ]
    if rows:
        output.table([[_("name"), _("digest"), _("size"), _("from")], *rows])
    else:
        output.say(_("There are no weights here yet."))
    for name, done in unfinished.items():
        output.say(_("{name}: {done} of a download that is not finished").format(name=name, done=output.megabytes(done)))
    return 0


def fetch_them(options: argparse.Namespace) -> int:
    """Download the weights of the named backbones, one after the other; Ctrl-C keeps what has arrived."""
    from transfer_core.backbones.catalogue import backbone_info

    infos = [backbone_info(name) for name in options.backbones]  # a wrong name is told before anything is downloaded
    kept = [_fetch(info) for info in infos]
    if options.json:
        output.answer({"weights": [entry(each) for each in kept]})
    return 0


def _fetch(info: BackboneInfo) -> KeptWeights:
    from transfer_core.backbones.weights import fetch
    from transfer_core.cli.download_line import DownloadLine

    if info.non_commercial:
        output.say(_("The licence of {name} forbids commercial use: {licence}").format(name=info.name, licence=info.licence))
    line = DownloadLine(info.name, sys.stderr)
    try:
        kept = fetch(info.name, line)
    except KeyboardInterrupt:
        raise WeightsError(
            _("The download was stopped."),
            code="stopped",
            file=info.weights_file,
            fix=_("Go on with: transfer-studio weights fetch {name}").format(name=info.name),
        ) from None
    finally:
        line.close()
    output.say(f"{info.name}: {output.shown(kept.file)}")
    return kept


def add_them(options: argparse.Namespace) -> int:
    """Print how a file of weights fits, and keep it unless it was only to be checked."""
    from transfer_core.backbones.inspection import inspect_weights
    from transfer_core.backbones.weights import adopt

    file = options.file.expanduser()
    found = inspect_weights(file, options.backbone)
    if not options.json:
        _describe(found)
    if found.problem:
        if not options.json:
            raise found.problem
        output.answer({"inspection": found.as_data(), "error": found.problem.as_data()})
        return 2
    kept = None if options.check or found.backbone is None else adopt(found.backbone, file)
    if options.json:
        output.answer({"inspection": found.as_data(), "weights": entry(kept) if kept else None})
    elif kept:
        output.line(_("Kept: {file}").format(file=output.shown(kept.file)))
    return 0


def _describe(found: Inspection) -> None:
    if found.backbone is None or found.match is None:
        return
    count = found.parameters
    output.line(
        ngettext("{backbone}: {count} parameter of {file} fits.", "{backbone}: {count} parameters of {file} fit.", count).format(
            backbone=found.backbone, count=f"{count:,}", file=output.shown(found.file)
        )
    )
    if found.published_as:
        output.line(_("It is the published file of {name}.").format(name=found.published_as))
    for title, names in (
        (_("Missing"), found.match.missing),
        (_("Of another shape"), found.match.other_shape),
        (_("Left over"), found.match.left_over),
    ):
        if names:
            named = ", ".join(output.shown(name) for name in names[:NAMED]) + (", …" if len(names) > NAMED else "")
            output.line(f"{title}: {len(names)} ({named})")


def remove_them(options: argparse.Namespace) -> int:
    """Delete the named weights and downloads that were not finished; where one can't be, nothing is deleted."""
    from transfer_core.backbones.downloads import discard_download, unfinished_downloads
    from transfer_core.backbones.weights import remove

    unfinished = unfinished_downloads()
    chosen = [_removable(text, unfinished) for text in options.which]
    removed = list({kept.file: kept for weights, _begun in chosen for kept in weights}.values())
    for kept in removed:
        remove(kept)
        output.say(_("Removed: {file}").format(file=output.shown(kept.file)))
    discarded = [name for name in {begun: None for _weights, begun in chosen if begun} if discard_download(name)]
    for name in discarded:
        output.say(_("The unfinished download of {name} is thrown away.").format(name=name))
    if options.json:
        output.answer({"removed": [entry(kept) for kept in removed], "unfinished": discarded})
    return 0


def _removable(text: str, unfinished: dict[str, int]) -> tuple[list[KeptWeights], str]:
    """The weights that `text` means, and the name of the backbone whose download it means, "" for none; raises WeightsError."""
    from transfer_core.backbones.catalogue import catalogue
    from transfer_core.backbones.weights import find_weights

    found = find_weights(text)
    own = [kept for kept in found if not kept.built_in]
    name = next((info.name for info in catalogue().values() if info.name in unfinished and info.is_called(text)), "")
    if own or name:
        return own, name
    if found:
        raise WeightsError(
            _("The starter's weights are part of the program and can't be removed."),
            code="weights-built-in",
            fix=_("They need little space, and everything works with them when there is no internet."),
        )
    raise WeightsError(
        _("No weights of {name} are here.").format(name=text),
        code="weights-not-here",
        fix=_("The command `transfer-studio weights list` shows which are."),
    )


def entry(kept: KeptWeights) -> dict[str, Any]:
    """Weights as data."""
    return {
        "name": kept.backbone,
        "digest": kept.digest,
        "file": str(kept.file),
        "source": kept.source,
        "size": kept.size,
        "built_in": kept.built_in,
    }
