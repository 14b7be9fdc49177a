"""`projects`: the projects on this computer."""

from __future__ import annotations

import argparse

from transfer_core.cli import output
from transfer_core.cli.words import Commands, add_command
from transfer_core.i18n import _


def add(commands: Commands) -> None:
    """Add the commands to the parser."""
    group = add_command(commands, "projects", _("list the projects"), "projects list", json=False)
    actions = group.add_subparsers(title=_("commands"), metavar=_("COMMAND"), required=True)
    listing = add_command(actions, "list", _("list the projects on this computer"), "projects list")
    listing.set_defaults(run_command=list_them)


def list_them(options: argparse.Namespace) -> int:
    """Print the projects, the last used first."""
    from transfer_core.data.project import list_projects

    projects = list_projects()
    if options.json:
        entries = [
            {
                "name": project.name,
                "project": str(project.folder),
                "images": project.images,
                "classes": project.classes,
                "sources": [str(source) for source in project.sources],
                "modified": project.modified,
            }
            for project in projects
        ]
        output.answer({"projects": entries})
        return 0
    rows = [[p.name, str(p.images), str(p.classes), output.date(p.modified), str(p.folder)] for p in projects]
    if rows:
        output.table([[_("name"), _("pictures"), _("classes"), _("last used"), _("folder")], *rows])
    else:
        output.say(_("There are no projects yet."))
    return 0
