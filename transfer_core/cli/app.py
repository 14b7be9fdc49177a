"""`app`: the pages, in the browser."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import quote

from transfer_core.cli import output
from transfer_core.cli.words import Commands, add_command
from transfer_core.i18n import _

if TYPE_CHECKING:
    from transfer_core.cli.server import Server


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = add_command(commands, "app", _("open Transfer Studio in the browser"), "app", json=False)
    parser.add_argument("project", metavar="PROJECT", type=Path, nargs="?", help=_("a project's folder, to begin there"))
    parser.add_argument(
        "--port", metavar="N", type=_port, help=_("the port to listen on; the first free one from 8501 on without it")
    )
    parser.add_argument(
        "--host", metavar="H", default="localhost", help=_("the address to listen on; localhost is for this computer alone")
    )
    parser.add_argument("--no-browser", action="store_true", help=_("only print the address"))
    parser.set_defaults(run_command=run, json=False)


def run(options: argparse.Namespace) -> int:
    """Open the pages, and serve them until Ctrl-C unless another command does already."""
    from filelock import FileLock

    from transfer_core.cli import server

    page = _page(options.project)
    # Two commands at the same time would both find no server.
    with FileLock(server.own_folder("app") / ".lock"):
        first = server.running()
        if first is None:
            ours, process = server.start(options.host, options.port)
    if first is not None:
        server.wait_until_it_answers(first)
        output.line(_("Transfer Studio is open already: {address}").format(address=first.address + page))
        _open(first, page, options.no_browser)
        return 0
    try:
        with _ending_like_an_interrupt():
            server.wait_until_it_answers(ours)
            _welcome(ours, page)
            _open(ours, page, options.no_browser)
            process.wait()
            raise server.ended()
    except KeyboardInterrupt:
        output.say(_("Transfer Studio is closed. Runs that are at work go on."))
    finally:
        server.end(process)
    return 0


def _welcome(ours: Server, page: str) -> None:
    from transfer_core.cli.server import LOCAL

    if ours.host not in LOCAL:
        output.say(
            _("Everybody who reaches this computer over the network can use these pages and see its files: there is no password.")
        )
    output.line(_("Transfer Studio is at {address}").format(address=ours.address + page))
    output.flush()
    output.say(_("Ctrl-C closes it."))


def _open(server: Server, page: str, no_browser: bool) -> None:
    # Where there is no screen, Python's choice is a browser inside the terminal.
    screen = sys.platform in ("win32", "darwin") or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if screen and not no_browser:
        webbrowser.open(server.address + page)


def _page(project: Path | None) -> str:
    """The page to begin on, as the rest of an address."""
    if project is None:
        return ""
    from transfer_core.data.project import Project

    return f"/Data?project={quote(str(Project.open(project.expanduser()).folder), safe='')}"


def _port(text: str) -> int:
    port = int(text)
    if not 1 <= port <= 65535:
        raise argparse.ArgumentTypeError(_("a port is between 1 and 65535"))
    return port


@contextmanager
def _ending_like_an_interrupt() -> Iterator[None]:
    """Let a closed terminal or a request to end do as Ctrl-C does, or the server would be left behind."""

    def interrupt(number: int, frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    numbers = [signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
