"""The page server: a process of its own, of which there is one at a time for a home folder."""

from __future__ import annotations

import errno
import http.client
import json
import socket
import ssl
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from transfer_core.errors import TransferError, storage_error
from transfer_core.files import write_json
from transfer_core.i18n import _
from transfer_core.places import own_folder
from transfer_core.processes import lives, module_command, start_apart
from transfer_core.web import sharing
from transfer_core.web.access import LOCAL, cookie_name
from transfer_core.web.certificate import CERTIFICATE, Certificate, certificate_for

FIRST_PORT, LAST_PORT = 8501, 8600
EVERY_ADDRESS = "0.0.0.0"
EVERYWHERE = frozenset({EVERY_ADDRESS, "::", ""})
ANSWER_PATIENCE = 60.0  # seconds for the server to come up
END_PATIENCE = 10.0  # seconds for it to end when asked


@dataclass(frozen=True)
class Server:
    """A page server: its process, and where it listens."""

    pid: int
    create_time: float
    host: str
    port: int
    shared: bool = False

    @property
    def address(self) -> str:
        """What a browser on this computer opens."""
        host = "localhost" if self.host in EVERYWHERE | LOCAL else self.host
        return address_of(host, self.port, self.shared)

    def answers(self) -> bool:
        """Whether the server serves pages by now."""
        host = "localhost" if self.host in EVERYWHERE else self.host
        connection, headers = http.client.HTTPConnection(host, self.port, timeout=2), {}
        if self.shared:
            # Ours alone is trusted, whatever name it is for: the secret goes to no other program.
            context = ssl.create_default_context(cafile=sharing.share_folder() / CERTIFICATE)
            context.check_hostname = False
            context.verify_flags &= ~ssl.VERIFY_X509_STRICT
            connection = http.client.HTTPSConnection(host, self.port, timeout=2, context=context)
            headers = {"Cookie": f"{cookie_name(self.port)}={sharing.link_key()}"}
        try:
            connection.request("GET", "/_stcore/health", headers=headers)
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def address_of(host: str, port: int, secure: bool) -> str:
    """The address of a server as browsers write it."""
    return f"{'https' if secure else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"


def state_file() -> Path:
    """Where the server that is running is noted."""
    return own_folder("app") / "server.json"


def log_file() -> Path:
    """What the server prints."""
    return own_folder("app") / "server.log"


def running() -> Server | None:
    """The server that runs already, if one does."""
    try:
        data = json.loads(state_file().read_bytes())
        shared = data.get("shared") is True
        server = Server(int(data["pid"]), float(data["create_time"]), str(data["host"]), int(data["port"]), shared)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return server if lives(server.pid, server.create_time) else None


def start(host: str, port: int | None, share: bool = False) -> tuple[Server, subprocess.Popen[bytes]]:
    """Start a server and note it; raises TransferError when the port is taken. One to `share` has a secret link and a certificate."""
    page = page_script()
    if port is None:
        port = free_port(host)
    elif not is_free(host, port):
        raise TransferError(
            _("Port {port} is in use by another program.").format(port=port),
            code="port-in-use",
            fix=_("Give another one, or leave --port out."),
        )
    certificate = _prepare_sharing(host, port) if share else None
    try:
        with log_file().open("wb") as log:
            # Away from the terminal, so that Ctrl-C comes to it once, from us; and in its own folder, because the settings
            # of another Streamlit application lying in the current folder would be taken for its own.
            process = start_apart(server_command(page, host, port, certificate), log, page.parent)
    except OSError as error:
        raise storage_error(error, log_file()) from error
    server = Server(process.pid, psutil.Process(process.pid).create_time(), host, port, share)
    write_json(state_file(), asdict(server))
    return server, process


def wait_until_it_answers(server: Server) -> None:
    """Return once the server serves pages; raises TransferError when it ends before or takes too long."""
    deadline = time.monotonic() + ANSWER_PATIENCE
    while not server.answers():
        if not lives(server.pid, server.create_time) or time.monotonic() > deadline:
            raise _server_error(_("The page server did not come up."), "app-not-started")
        time.sleep(0.05)


def ended() -> TransferError:
    """The error that tells of a server that ended by itself."""
    return _server_error(_("The page server ended by itself."), "app-ended")


def end(process: subprocess.Popen[bytes]) -> None:
    """End the server, politely first, and forget it. Runs have processes of their own and go on."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(END_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    noted = running()
    if noted is None or noted.pid == process.pid:
        state_file().unlink(missing_ok=True)


def page_script() -> Path:
    """What serves the pages: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    for script in (package / "_app" / "server.py", package.parent / "server.py"):
        if script.is_file():
            return script
    raise TransferError(
        _("The pages of Transfer Studio are not installed."),
        code="no-pages",
        fix=_("Install it again: pip install --force-reinstall transfer-studio"),
    )


def _prepare_sharing(host: str, port: int) -> Certificate:
    """Make the secret of the link, and a certificate for the names under which others reach a server on `host`."""
    hosts = (sharing.network_addresses() or ["localhost"]) if host in EVERYWHERE else [host]
    names = ["localhost", "127.0.0.1", *hosts, *(name for name in own_names() if name.isascii())]
    certificate = certificate_for(names, sharing.share_folder())
    sharing.begin([address_of(name, port, secure=True) for name in hosts], certificate.fingerprint)
    return certificate


def server_command(page: Path, host: str, port: int, certificate: Certificate | None = None) -> list[str]:
    """The command of a server; who may reach it is said here, whatever other settings are around. With a certificate it is shared."""
    names = host_names(host)
    options = {
        "server.port": [str(port)],
        "server.address": [host],
        "server.headless": ["true"],
        "server.allowedHosts": names,
        # Pages opened under one of these names are ours; without the list Streamlit asks the internet for its own address.
        "server.corsAllowedOrigins": [address_of(name, port, certificate is not None) for name in names],
        "browser.gatherUsageStats": ["false"],
        # Which tells the address on the internet, too, and asks there for it.
        "logger.hideWelcomeMessage": ["true"],
    }
    if certificate is not None:
        options |= {"server.sslCertFile": [str(certificate.certificate)], "server.sslKeyFile": [str(certificate.private_key)]}
    arguments = [part for name, values in options.items() for value in values for part in (f"--{name}", value)]
    ours = ["--", sharing.OPTION] if certificate is not None else []
    return module_command("streamlit", "run", page, *arguments, *ours)


def host_names(host: str) -> list[str]:
    """The names under which a browser may ask for pages of a server on `host`; others are an attempt at DNS rebinding."""
    names = ["localhost", "127.0.0.1"]
    if host in EVERYWHERE:
        names += own_names()
        for addresses in psutil.net_if_addrs().values():
            names += [entry.address.partition("%")[0] for entry in addresses if entry.family in (socket.AF_INET, socket.AF_INET6)]
    elif host not in LOCAL:
        names.append(host)
    return list(dict.fromkeys(name.lower() for name in names))


def own_names() -> list[str]:
    """The names of this computer on its network, in small letters."""
    names = (socket.gethostname(), f"{socket.gethostname()}.local", socket.getfqdn())
    return list(dict.fromkeys(name.lower() for name in names))


def free_port(host: str) -> int:
    """The first port from 8501 on that nobody listens on."""
    for port in range(FIRST_PORT, LAST_PORT + 1):
        if is_free(host, port):
            return port
    raise TransferError(
        _("All ports from {first} to {last} are in use.").format(first=FIRST_PORT, last=LAST_PORT),
        code="port-in-use",
        fix=_("Give a free one with --port."),
    )


def is_free(host: str, port: int) -> bool:
    """Whether a server on `host` could listen on `port`; raises TransferError for a host that is none of this computer's."""
    try:
        addresses = {(entry[0], entry[4]) for entry in socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM)}
    except (OSError, OverflowError, UnicodeError) as error:
        raise _no_such_host(host, error) from error
    for family, address in addresses:
        try:
            socket.create_server(address[:2], family=family).close()
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            if host not in LOCAL:
                raise _no_such_host(host, error) from error
    return True


def _server_error(message: str, code: str) -> TransferError:
    fix = _("The server's log has the details: {file}.").format(file=log_file())
    return TransferError(message, code=code, file=log_file(), fix=fix)


def _no_such_host(host: str, error: Exception) -> TransferError:
    return TransferError(
        _("The page server can't listen on {host}: {reason}.").format(host=host, reason=error),
        code="host",
        fix=_("Leave --host out, or give an address of this computer."),
    )
