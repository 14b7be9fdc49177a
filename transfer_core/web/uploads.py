"""Uploads: routes through which a page sends pictures, one by one, straight to the disk.

Questions are POST and JSON, a file is PUT; answers are JSON, refusals `{"error": ...}` as `TransferError` tells them.

    POST begin   {"name", "browser"}                 -> {"project"}         a new project, or the one whose upload broke off there
    POST have    {"project", "door", "files"}        -> {"have": [indices]} which of [path, size, modified] are here already
    POST offset  {"project", "door", "file"}         -> {"offset"}          how much of a file came before it was cut off
    PUT  file    ?project&door&path&size&modified&offset, the bytes from there on -> no body, the header `RECEIVED`: bytes that are here
    POST done    {"project"}                         -> {"project", "unclear"} all are here: look through them, unless it is unclear how the
                                                                            classes of the source in this folder of the project are told
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeGuard

from anyio.to_thread import run_sync
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from transfer_core import i18n
from transfer_core.data.project import Project
from transfer_core.data.receiving import (
    Announced,
    Door,
    Incoming,
    arrived_part,
    forget_old_parts,
    is_here,
    upload_project,
)
from transfer_core.errors import DataError, TransferError
from transfer_core.i18n import _
from transfer_core.web import access, arrivals
from transfer_core.web.access import AccessError
from transfer_core.web.projects import project_key, project_named

PREFIX = "/studio/uploads"
TOKEN = "x-studio-token"
LANGUAGE = "x-studio-language"
BLOCK = 2**20  # bytes gathered before they are written
MOST_QUESTION = 4 * 2**20  # bytes of a question; a thousand files are some hundred thousand
MOST_BROWSER = 100  # characters by which a browser is told from others
STATUS = {"access": 403, "on-its-way": 409, "other-offset": 409, "too-large": 413, "not-a-picture": 415, "disk-full": 507}

RECEIVED = "x-studio-received"

Handler = Callable[[Request], Awaitable[Response]]


def routes() -> list[Route]:
    """The routes, for the page server."""
    questions = {"begin": _begin, "have": _have, "offset": _offset, "done": _done}
    return [
        *(Route(f"{PREFIX}/{name}", _answering(handler), methods=["POST"]) for name, handler in questions.items()),
        Route(f"{PREFIX}/file", _answering(_receive), methods=["PUT"]),
    ]


def _answering(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        i18n.set_language(request.headers.get(LANGUAGE))
        try:
            ours = access.current()
            ours.check_host(request.headers.get("host"))
            ours.check_origin(request.headers.get("origin"), request.headers.get("host"))
            ours.check_token(request.headers.get(TOKEN))
            return await handler(request)
        except TransferError as error:
            status = STATUS["access"] if isinstance(error, AccessError) else STATUS.get(error.code, 400)
            return JSONResponse({"error": error.as_data()}, status)

    return answer


async def _begin(request: Request) -> Response:
    question = await _question(request)
    name, browser = question.get("name"), question.get("browser", "")
    if not _is_text(name) or not name.strip() or not _is_text(browser) or len(browser) > MOST_BROWSER:
        raise _not_understood()
    project = await run_sync(upload_project, name.strip(), browser)
    await run_sync(forget_old_parts, project)
    return JSONResponse({"project": project_key(project.folder)})


async def _have(request: Request) -> Response:
    question = await _question(request)
    files = question.get("files")
    if not isinstance(files, list):
        raise _not_understood()
    announced, project, door = [_announced(file) for file in files], await _project(question), _door(question)

    def look() -> list[int]:
        return [index for index, file in enumerate(announced) if is_here(project, door, file)]

    return JSONResponse({"have": await run_sync(look)})


async def _offset(request: Request) -> Response:
    question = await _question(request)
    project, door, announced = await _project(question), _door(question), _announced(question.get("file"))
    return JSONResponse({"offset": await run_sync(arrived_part, project, door, announced)})


async def _receive(request: Request) -> Response:
    query = request.query_params
    project, door = await _project(query), _door(query)
    try:
        announced = _announced([query.get("path"), int(query["size"]), int(query.get("modified", 0))])
        offset = int(query.get("offset", 0))
    except (KeyError, ValueError) as error:
        raise _not_understood() from error
    incoming = await run_sync(_open, project, door, announced, offset)
    if incoming is None:
        return _received(announced.size)
    with incoming:
        gathered = bytearray()
        try:
            async for chunk in request.stream():
                gathered += chunk
                if len(gathered) >= BLOCK:
                    await run_sync(incoming.write, bytes(gathered))
                    gathered.clear()
        except ClientDisconnect as error:
            await run_sync(incoming.write, bytes(gathered))  # to go on from, when it comes again
            raise DataError(_("{name} was cut off on its way.").format(name=announced.path), code="cut-off") from error
        await run_sync(_last, incoming, bytes(gathered))
        if incoming.whole():
            arrivals.expect_more(project.folder)
        return _received(incoming.received)


def _received(count: int) -> Response:
    # Without a body, because its few bytes would wait until the browser has confirmed the header: 40 ms a picture on Linux, where
    # Streamlit's sockets hold back small parts (Nagle's algorithm).
    return Response(status_code=204, headers={RECEIVED: str(count)})


def _open(project: Project, door: Door, announced: Announced, offset: int) -> Incoming | None:
    return None if is_here(project, door, announced) else Incoming(project, door, announced, offset)


def _last(incoming: Incoming, data: bytes) -> None:
    incoming.write(data)
    if incoming.whole():
        incoming.finish()


async def _done(request: Request) -> Response:
    project = await _project(await _question(request))
    unclear = await arrivals.all_here(project)
    folder = unclear.folder.relative_to(project.folder).as_posix() if unclear else None
    return JSONResponse({"project": project_key(project.folder), "unclear": folder})


async def _question(request: Request) -> dict[str, Any]:
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > MOST_QUESTION:
                raise _not_understood()
        question = json.loads(body)
    except (ValueError, RecursionError, ClientDisconnect) as error:
        raise _not_understood() from error
    if not isinstance(question, dict):
        raise _not_understood()
    return question


async def _project(question: Any) -> Project:
    key = question.get("project")
    if not isinstance(key, str) or not key:
        raise _not_understood()
    return await run_sync(project_named, key)


def _door(question: Any) -> Door:
    try:
        return Door(question.get("door"))
    except ValueError as error:
        raise _not_understood() from error


def _announced(file: Any) -> Announced:
    if not isinstance(file, list) or len(file) != 3:
        raise _not_understood()
    path, size, modified = file
    if not _is_text(path) or not path or not _is_count(size) or not _is_count(modified):
        raise _not_understood()
    return Announced(path, size, modified)


def _is_text(value: Any) -> TypeGuard[str]:
    """Whether it is text that can be written down: JSON can say half a character, which UTF-8 has no bytes for."""
    return isinstance(value, str) and not any("\ud800" <= sign <= "\udfff" for sign in value)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and 0 <= value < 2**63


def _not_understood() -> TransferError:
    return DataError(_("This request can't be understood."), code="bad-request", fix=_("Reload the page, and try again."))
