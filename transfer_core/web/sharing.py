"""Sharing the pages with phones and computers on the same network: the secret link, its code, and what stands for it on disk."""

from __future__ import annotations

import os
import secrets
import socket
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import psutil

from transfer_core.errors import StorageError, storage_error
from transfer_core.files import read_json, write_json
from transfer_core.places import own_folder
from transfer_core.web.access import KEY

OPTION = "--share"  # of the page server, too: it reads then what lies in `share_folder`


@dataclass(frozen=True)
class Sharing:
    """How others reach a shared server: addresses without the secret, likeliest first, the secret, the certificate's fingerprint."""

    addresses: list[str]
    key: str
    fingerprint: str

    @property
    def links(self) -> list[str]:
        """The addresses with the secret."""
        return [f"{address}/?{urlencode({KEY: self.key})}" for address in self.addresses]


def share_folder() -> Path:
    """Where certificate and secret lie, for the eyes of their owner; raises StorageError."""
    folder = own_folder("share")
    try:
        os.chmod(folder, 0o700)  # noqa: PTH101
    except OSError as error:
        raise storage_error(error, folder) from error
    return folder


def begin(addresses: list[str], fingerprint: str) -> Sharing:
    """Make a new secret for these addresses, and note all for the server; raises StorageError."""
    sharing = Sharing(addresses, secrets.token_urlsafe(24), fingerprint)
    write_json(_file(), {"addresses": addresses, "key": sharing.key, "fingerprint": fingerprint})
    return sharing


def read() -> Sharing:
    """How the server that is shared now is reached; raises StorageError when nothing is noted."""
    data = read_json(_file(), StorageError)
    return Sharing(list(data["addresses"]), str(data["key"]), str(data["fingerprint"]))


def link_key() -> str:
    """The secret of the link; raises StorageError."""
    return read().key


def code_on_terminal(link: str) -> str:
    """The link as a code to scan, in characters for a terminal."""
    import io

    import segno

    out = io.StringIO()
    segno.make(link, error="l").terminal(out, compact=True)
    return out.getvalue()


def code_as_picture(link: str) -> str:
    """The link as a code to scan, dark on white whatever is around it: an address with the picture in it, for an `<img>`."""
    import segno

    return str(segno.make(link, error="m").svg_data_uri(scale=5, border=3, dark="#000", light="#fff"))


def network_addresses() -> list[str]:
    """The IPv4 addresses of this computer that others may reach, the one towards the network's exit first."""
    found = [
        entry.address
        for name, addresses in psutil.net_if_addrs().items()
        for entry in addresses
        if entry.family == socket.AF_INET and not entry.address.startswith(("127.", "169.254.")) and _is_up(name)
    ]
    first = _towards_the_exit()
    return list(dict.fromkeys([*([first] if first in found else []), *found]))


def _towards_the_exit() -> str | None:
    # Connecting a UDP socket sends nothing: the system only chooses the address that it would send from.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            return str(probe.getsockname()[0])
        except OSError:
            return None


def _is_up(name: str) -> bool:
    state = psutil.net_if_stats().get(name)
    return state is None or state.isup


def _file() -> Path:
    return share_folder() / "link.json"
