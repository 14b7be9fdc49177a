"""`backbones`: the catalogue."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from transfer_core.cli import choosing, output
from transfer_core.cli.words import Commands, add_command
from transfer_core.i18n import _

if TYPE_CHECKING:
    from transfer_core.backbones.catalogue import BackboneInfo


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = add_command(commands, "backbones", _("list the pretrained networks to start from"), "backbones")
    choosing.add_arguments(parser)
    parser.set_defaults(run_command=run)


def run(options: argparse.Namespace) -> int:
    """Print the catalogue, or rank what is at hand on the user's pictures."""
    if options.data is not None:
        return choosing.rank(options)
    from transfer_core.backbones.catalogue import catalogue

    show(catalogue().values(), options.json)
    return 0


def show(infos: Iterable[BackboneInfo], as_json: bool) -> None:
    """Print these backbones in their order."""
    from transfer_core.backbones.weights import kept_weights

    here = {kept.backbone for kept in kept_weights()}
    if as_json:
        output.answer([entry(info, info.name in here) for info in infos])
        return
    titles = [
        _("name"),
        _("weights"),
        _("ImageNet"),
        _("parameters"),
        _("work"),
        _("pixels"),
        _("download"),
        _("here"),
        _("licence"),
    ]
    output.table([titles, *(row(info, info.name in here) for info in infos)])
    output.say(
        _("Work is in billions of multiply-adds a picture. Licences marked ! forbid commercial use. Choose with --backbone NAME.")
    )


def entry(info: BackboneInfo, here: bool) -> dict[str, Any]:
    """A backbone as data."""
    return {
        "name": info.name,
        "title": info.title,
        "family": info.family,
        "weights": info.weights,
        "accuracy": info.accuracy,
        "parameters": info.parameters,
        "multiply_adds": info.multiply_adds,
        "crop": info.crop,
        "file_size": info.file_size,
        "licence": info.licence,
        "non_commercial": info.non_commercial,
        "here": here,
    }


def row(info: BackboneInfo, here: bool) -> list[str]:
    """A backbone for people."""
    return [
        info.name,
        info.weights or "-",
        f"{info.accuracy:.1f} %" if info.accuracy else "-",
        f"{info.parameters / 1e6:.1f} M",
        f"{info.multiply_adds:.2f}",
        str(info.crop),
        output.megabytes(info.file_size) if info.weights else "-",
        _("yes") if here else "",
        licence(info),
    ]


def licence(info: BackboneInfo) -> str:
    """The licence of the weights, with a mark where it forbids commercial use; "" where torchvision states none."""
    return f"! {info.licence}" if info.non_commercial else info.licence or ""
