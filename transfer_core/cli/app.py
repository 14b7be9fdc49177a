"""`app`: the pages, in the browser."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import quote

from transfer_core.cli import output
from transfer_core.cli.words import Commands, add_command
from transfer_core.errors import TransferError
from transfer_core.i18n import _

if TYPE_CHECKING:
    import subprocess

    from transfer_core.cli.server import Server


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = add_command(commands, "app", _("open Transfer Studio in the browser"), "app", json=False)
    parser.add_argument("project", metavar="PROJECT", type=Path, nargs="?", help=_("a project's folder, to begin there"))
    parser.add_argument(
        "--port", metavar="N", type=_port, help=_("the port to listen on; the first free one from 8501 on without it")
    )
    parser.add_argument("--host", metavar="H", help=_("the address to listen on; localhost, for this computer alone, without it"))
    parser.add_argument(
        "--share", action="store_true", help=_("let phones and computers on the same network join, by a secret link")
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
            host = options.host or (server.EVERY_ADDRESS if options.share else "localhost")
            ours, process = server.start(host, options.port, options.share)
    if first is not None:
        _check_shared(first, options.share)
        server.wait_until_it_answers(first)
        output.line(_("Transfer Studio is open already: {address}").format(address=_link(first, page)))
        if options.share:
            _invite()
        _open(first, page, options.no_browser)
        return 0
    try:
        with _ending_like_an_interrupt() as asked:
            server.wait_until_it_answers(ours)
            _welcome(ours, page)
            _open(ours, page, options.no_browser)
            _go_on_with_queue()
            _wait_for(process, asked)
            raise server.ended()
    except KeyboardInterrupt:
        output.say(_("Transfer Studio is closed. Runs that are at work go on."))
    finally:
        server.end(process)
    return 0


def _go_on_with_queue() -> None:
    """Have the runs that wait carried, as after the computer was off; the pages do not depend on it."""
    from transfer_core.runs.dispatcher import ensure_dispatcher

    try:
        ensure_dispatcher()
    except TransferError as error:
        output.error(error, as_json=False)


def _welcome(ours: Server, page: str) -> None:
    from transfer_core.cli.server import LOCAL

    if ours.host not in LOCAL and not ours.shared:
        output.say(
            _("Everybody who reaches this computer over the network can use these pages and see its files: there is no password.")
        )
    output.line(_("Transfer Studio is at {address}").format(address=_link(ours, page)))
    output.flush()
    if ours.shared:
        _invite()
    output.say(_("Ctrl-C closes it."))


def _check_shared(first: Server, share: bool) -> None:
    if share and not first.shared:
        raise TransferError(
            _("Transfer Studio is open already, for this computer alone."),
            code="open-unshared",
            fix=_("Close it (Ctrl-C where it was started), then start it with --share. Runs that are at work go on."),
        )


def _link(ours: Server, page: str) -> str:
    """What opens `page` in a browser on this computer."""
    if not ours.shared:
        return ours.address + page
    from transfer_core.web import access, sharing

    return f"{ours.address}{page or '/'}{'&' if '?' in page else '?'}{access.KEY}={sharing.link_key()}"


def _invite() -> None:
    """Tell how others join."""
    from transfer_core.web import sharing

    ours = sharing.read()
    output.say(_("To join with a phone on the same network, scan this code, or open the link:"))
    code = sharing.code_on_terminal(ours.links[0])
    if _can_show(code):
        output.say(code)
    for link in ours.links:
        output.say(f"  {link}")
    output.say(
        _(
            "Whoever has the link can use these pages until they are closed: show it only to people you trust. The browser will warn of an "
            "unknown certificate, because it was made on this computer. It is the right one if its SHA-256 fingerprint is"
        )
    )
    output.say(f"  {ours.fingerprint}")


def _can_show(text: str) -> bool:
    try:
        text.encode(sys.stderr.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def _open(server: Server, page: str, no_browser: bool) -> None:
    # Where there is no screen, Python's choice is a browser inside the terminal.
    screen = sys.platform in ("win32", "darwin") or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if screen and not no_browser:
        webbrowser.open(_link(server, page))


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


def _wait_for(process: subprocess.Popen[bytes], asked: list[int]) -> None:
    """Return when the server has ended; raises KeyboardInterrupt for a request to end that came earlier and was lost."""
    while process.poll() is None:
        if asked:
            raise KeyboardInterrupt
        time.sleep(0.3)


@contextmanager
def _ending_like_an_interrupt() -> Iterator[list[int]]:
    """Let a closed terminal or a request to end do as Ctrl-C does, or the server would be left behind; gives those that came.

    Python drops what is raised while it clears an object away, as it does during imports: such a request would do nothing.
    """
    asked: list[int] = []

    def interrupt(number: int, frame: FrameType | None) -> NoReturn:
        asked.append(number)
        raise KeyboardInterrupt

    numbers = [signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        numbers.append(signal.SIGINT)
    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
