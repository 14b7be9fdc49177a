"""Nothing is answered under a foreign name, and nothing of a shared server without the secret of its link."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.web.conftest import Server
from transfer_core import preferences
from transfer_core.web import access

WEBSOCKET = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}
EVERYTHING = ["/", "/Data?project=x", "/static/x.js", "/_stcore/health", "/studio/uploads/begin", "/media/x.png"]


def test_our_own_names_are_answered(server: Server) -> None:
    for path in ("/", "/Data?project=x"):
        assert server.request("GET", path).body == b"a page"
    assert server.request("GET", "/_stcore/stream", headers={"Host": server.host} | WEBSOCKET).status == 101


@pytest.mark.parametrize("path", EVERYTHING)
def test_a_foreign_name_is_refused_everywhere(server: Server, path: str) -> None:
    answer = server.request("GET", path, headers={"Host": "evil.example"})
    assert answer.status == 403 and b"evil.example" in answer.body and b"a page" not in answer.body
    assert server.request("GET", "/_stcore/stream", headers={"Host": "evil.example"} | WEBSOCKET).status == 403


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://localhost:1"])
def test_a_connection_from_a_foreign_page_is_refused(server: Server, origin: str) -> None:
    headers = {"Host": server.host, "Origin": origin} | WEBSOCKET
    assert server.request("GET", "/_stcore/stream", headers=headers).status == 403
    assert server.request("GET", "/_stcore/stream", headers=headers | {"Origin": f"http://{server.host}"}).status == 101


def test_a_name_is_no_markup(server: Server) -> None:
    answer = server.request("GET", "/", headers={"Host": "<script>alert(1)</script>"})
    assert answer.status in (400, 403) and b"<script>alert" not in answer.body


@pytest.mark.parametrize("path", EVERYTHING)
def test_no_other_site_may_show_our_pages_inside_its_own(server: Server, path: str) -> None:
    """Somebody lured there would press our buttons without seeing them; the browser would take it for a page of ours."""
    for host in (server.host, "evil.example"):
        headers = server.request("GET", path, headers={"Host": host}).headers
        assert headers["content-security-policy"] == "frame-ancestors 'self'" and headers["x-frame-options"] == "SAMEORIGIN"
        assert headers["x-content-type-options"] == "nosniff" and headers["referrer-policy"] == "same-origin"


@pytest.mark.parametrize("path", EVERYTHING)
def test_without_the_secret_nothing_is_answered(server: Server, share: Callable[[], str], path: str) -> None:
    share()
    for cookie in ("", "x=y", f"{access.current().cookie}=guess", f"{access.cookie_name(1)}=a secret"):
        answer = server.request("GET", path, headers={"Host": server.host, "Cookie": cookie})
        assert answer.status == 403 and b"Open the whole link" in answer.body, cookie
    assert server.request("GET", "/_stcore/stream", headers={"Host": server.host} | WEBSOCKET).status == 403


def test_the_link_sets_a_cookie_that_opens_everything(server: Server, share: Callable[[], str]) -> None:
    share()
    answer = server.request("GET", "/Data?project=my+cups&key=a+secret&lang=en")
    assert answer.status == 200 and b"a page" not in answer.body
    onward = re.search(rb'url=([^"]*)"', answer.body)
    assert onward and onward[1] == b"/Data?project=my+cups&amp;lang=en", "the secret does not stay in the address"
    cookie = answer.headers["set-cookie"]
    assert all(part in cookie for part in ("HttpOnly", "Secure", "SameSite=strict", "Path=/")) and "Domain" not in cookie
    assert answer.headers["cache-control"] == "no-store" and answer.headers["referrer-policy"] == "no-referrer"
    kept = {"Host": server.host, "Cookie": cookie.split(";")[0]}
    assert server.request("GET", "/Data?project=my+cups", headers=kept).body == b"a page"
    assert server.request("GET", "/_stcore/stream", headers=kept | WEBSOCKET).status == 101


@pytest.mark.parametrize("path", ["//evil.example/?key=a+secret", "/\\evil.example?key=a+secret", "///x?key=a+secret"])
def test_the_link_leads_to_no_other_site(server: Server, share: Callable[[], str], path: str) -> None:
    share()
    answer = server.request("GET", path)
    onward = re.search(rb'url=([^"]*)"', answer.body)
    assert answer.status in (400, 404) or (onward and re.match(rb"/[^/\\]", onward[1]))


def test_an_old_link_says_so(server: Server, share: Callable[[], str]) -> None:
    share()
    answer = server.request("GET", "/?key=yesterday")
    assert answer.status == 403 and b"no longer valid" in answer.body and "set-cookie" not in answer.headers


def test_a_key_means_nothing_where_nothing_is_shared(server: Server) -> None:
    answer = server.request("GET", "/?key=x")
    assert answer.body == b"a page" and "set-cookie" not in answer.headers


def test_a_refusal_in_the_reader_s_language(server: Server, share: Callable[[], str]) -> None:
    share()
    chinese = server.request("GET", "/", headers={"Host": server.host, "Accept-Language": "zh-CN,zh;q=0.9"})
    assert "链接" in chinese.body.decode() and 'lang="zh-CN"' in chinese.body.decode()
    preferences.change(language="en")
    assert b"Open the whole link" in server.request("GET", "/", headers={"Host": server.host, "Accept-Language": "zh-CN"}).body
