"""Who may use the page server: under which names it is asked for, from which pages, and with which secrets."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from transfer_core.errors import TransferError
from transfer_core.i18n import _

KEY = "key"  # in a shared link, before its secret
LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^\[\]:@/?#\s]+)(:\d{1,5})?", re.IGNORECASE)


class AccessError(TransferError):
    """A request that this server does not answer."""

    default_code = "access"


@dataclass(frozen=True)
class Access:
    """What a page server answers to. `token` is known to pages of this server alone; `key` is the secret in the link of a shared one."""

    names: frozenset[str]
    port: int
    token: str
    key: str | None = None

    @property
    def shared(self) -> bool:
        """Whether other computers and phones use these pages."""
        return self.key is not None

    @property
    def cookie(self) -> str:
        """The name of the cookie that carries the key."""
        return cookie_name(self.port)

    def check_host(self, host: str | None) -> None:
        """Raise AccessError unless `host`, of a request's header, is a name of ours: else it is another site that leads here."""
        found = _HOST.fullmatch(host or "")
        if found is None or found[1].strip("[]").rstrip(".").lower() not in self.names:
            raise AccessError(
                _("This server is not known by the name {name}.").format(name=host or "?"),
                code="unknown-host",
                fix=_("Open the address that the command printed."),
            )

    def check_origin(self, origin: str | None, host: str | None) -> None:
        """Raise AccessError unless the page that asks is one of ours."""
        try:
            asking = urlsplit(origin or "").netloc
        except ValueError:
            asking = ""
        if not asking or asking.lower() != (host or "").lower():
            raise AccessError(_("Only pages of Transfer Studio may ask for this."), code="foreign-origin", fix=_reload())

    def check_token(self, given: str | None) -> None:
        """Raise AccessError unless the page that asks knows this server's token."""
        if not secrets.compare_digest((given or "").encode(), self.token.encode()):
            raise AccessError(_("This page is older than the server behind it."), code="stale-page", fix=_reload())

    def has_key(self, given: str | None) -> bool:
        """Whether `given` is the secret of the link."""
        return self.key is not None and secrets.compare_digest((given or "").encode(), self.key.encode())

    def admits(self, cookies: str | None) -> bool:
        """Whether a request with these cookies may be answered: when nothing is shared, all that come from this computer."""
        if not self.shared:
            return True
        # The standard library's parser gives up at the first cookie that is not as it should be: other programs on this host leave such.
        from starlette.requests import cookie_parser  # here: the command line reads this module, too

        found = cookie_parser(cookies or "").get(self.cookie)
        return found is not None and self.has_key(found)


def cookie_name(port: int) -> str:
    """The name of the cookie of a server at `port`: cookies of one host are sent to all its ports."""
    return f"__Host-transfer-studio-{port}"


_current = Access(LOCAL, 0, secrets.token_urlsafe(32))


def current() -> Access:
    """What the server in this process answers to."""
    return _current


def begin(names: Iterable[str], port: int, key: str | None = None) -> Access:
    """Say what the server in this process answers to, with a token that nobody knows yet."""
    global _current
    _current = Access(frozenset(name.strip("[]").lower() for name in names), port, secrets.token_urlsafe(32), key)
    return _current


def check_disk_may_be_seen() -> None:
    """Raise AccessError when others use these pages over the network: the disk of this computer is not theirs to look at."""
    if _current.shared:
        raise AccessError(
            _("While the pages are shared over the network, folders and files of this computer can't be opened by their path."),
            code="shared",
            fix=_("Upload the pictures, or close Transfer Studio and open it without --share."),
        )


def _reload() -> str:
    return _("Reload the page, and try again.")
