"""What stands before every page, route and connection of the page server."""

from __future__ import annotations

import html
from http import HTTPStatus
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from transfer_core import i18n, preferences
from transfer_core.errors import TransferError
from transfer_core.i18n import _
from transfer_core.web import access
from transfer_core.web.access import AccessError

_MONTH = 30 * 86400  # seconds
_HEADERS = {
    # Inside a page of somebody else's, what is pressed there would be pressed here.
    "Content-Security-Policy": "frame-ancestors 'self'",
    "X-Frame-Options": "SAMEORIGIN",
    # A file of somebody's is what we say it is, whatever it begins with.
    "X-Content-Type-Options": "nosniff",
    # Addresses carry names of projects, and their folders.
    "Referrer-Policy": "same-origin",
}
_PAGE = """<!doctype html><html lang="{language}"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="referrer" content="no-referrer">
<title>Transfer Studio</title>{head}<style>:root {{ color-scheme: light dark; font-family: system-ui, sans-serif; }}
body {{ max-width: 32rem; margin: 15vh auto; padding: 0 1.25rem; line-height: 1.5; }}</style></head>
<body><h1>Transfer Studio</h1>{body}</body></html>"""


class Guard:
    """ASGI middleware: refuses other names than ours, and in a shared server whoever does not have the secret of the link.

    All answers forbid other sites to show them inside a page of their own.

    Streamlit checks the name for its connection alone, not for pages and files, and knows nothing of a secret.
    """

    def __init__(self, app: ASGIApp):
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or hand on."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        send = _with_headers(send)
        ours, headers = access.current(), Headers(scope=scope)
        _speak_to(headers)
        try:
            ours.check_host(headers.get("host"))
            # Asked about a foreign origin, Streamlit would look up this computer's address on the internet to compare it.
            if scope["type"] == "websocket" and "origin" in headers:
                ours.check_origin(headers["origin"], headers.get("host"))
            if ours.shared and scope["type"] == "http" and access.KEY in Request(scope).query_params:
                await _welcome(Request(scope))(scope, receive, send)
                return
            if not ours.admits(headers.get("cookie")):
                raise AccessError(
                    _("These pages are shared by a link, and this address has not its secret."),
                    code="no-key",
                    fix=_("Open the whole link, or scan the code that the computer shows which runs Transfer Studio."),
                )
        except AccessError as error:
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})
            else:
                await _refusal(error)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _with_headers(send: Send) -> Send:
    """`send`, with our headers in every answer that does not have them."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return sending


def _welcome(request: Request) -> HTMLResponse:
    """The answer to a link with the secret: it is kept in a cookie, and the address goes on without it."""
    ours = access.current()
    if not ours.has_key(request.query_params[access.KEY]):
        raise AccessError(
            _("This link is no longer valid: each start of Transfer Studio makes a new one."),
            code="wrong-key",
            fix=_("Open the new link, or scan the new code."),
        )
    rest = urlencode([(name, value) for name, value in parse_qsl(request.url.query) if name != access.KEY])
    onward = html.escape("/" + request.url.path.lstrip("/\\") + (f"?{rest}" if rest else ""), quote=True)
    # A page that goes on, not a redirect: browsers don't send a strict cookie along a redirect that began on another site.
    page = _PAGE.format(
        language=i18n.language().replace("_", "-"),
        head=f'<meta http-equiv="refresh" content="0; url={onward}">',
        body=f'<p><a href="{onward}">{html.escape(_("Go on"))}</a></p>',
    )
    response = HTMLResponse(page, headers={"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"})
    response.set_cookie(ours.cookie, ours.key or "", max_age=_MONTH, path="/", secure=True, httponly=True, samesite="strict")
    return response


def _refusal(error: TransferError) -> HTMLResponse:
    sentences = "".join(f"<p>{html.escape(part)}</p>" for part in (error.message, error.fix) if part)
    page = _PAGE.format(language=i18n.language().replace("_", "-"), head="", body=sentences)
    return HTMLResponse(page, HTTPStatus.FORBIDDEN, headers={"Cache-Control": "no-store"})


def _speak_to(headers: Headers) -> None:
    """Answer in the language that was chosen, else the browser's."""
    chosen = preferences.read().get("language")
    accepted = "zh_CN" if headers.get("accept-language", "").lower().startswith("zh") else None
    i18n.set_language(chosen if chosen in i18n.LANGUAGES else accepted)
