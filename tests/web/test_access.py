"""Names, origins and secrets: exactly ours, whatever tricks stand in a header."""

from __future__ import annotations

import pytest

from transfer_core.web import access
from transfer_core.web.access import Access, AccessError

OURS = Access(frozenset({"localhost", "127.0.0.1", "192.168.1.7", "::1"}), 8501, "token", "key")


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8501", "localhost.:8501", "127.0.0.1:1", "192.168.1.7:8501", "[::1]:8501"]
)
def test_our_names(host: str) -> None:
    OURS.check_host(host)


@pytest.mark.parametrize(
    "host",
    [None, "", "evil.example", "evil.example:8501", "localhost.evil.example", "localhost@evil.example", "localhost/evil",
     "127.0.0.1.evil.example", "evil.example#localhost", "localhost:", "localhost:port", "localhost, evil.example", "[localhost",
     "0.0.0.0"],
)  # fmt: skip
def test_other_names(host: str | None) -> None:
    with pytest.raises(AccessError) as caught:
        OURS.check_host(host)
    assert caught.value.code == "unknown-host" and caught.value.fix


def test_our_origin() -> None:
    OURS.check_origin("http://localhost:8501", "localhost:8501")
    OURS.check_origin("https://LocalHost:8501", "localhost:8501")


@pytest.mark.parametrize(
    "origin", [None, "", "null", "http://localhost", "http://localhost:8502", "http://evil.example", "http://[", "localhost:8501"]
)
def test_other_origins(origin: str | None) -> None:
    with pytest.raises(AccessError) as caught:
        OURS.check_origin(origin, "localhost:8501")
    assert caught.value.code == "foreign-origin"


@pytest.mark.parametrize("token", [None, "", "Token", "tokens", "tökén"])
def test_other_tokens(token: str | None) -> None:
    OURS.check_token("token")
    with pytest.raises(AccessError) as caught:
        OURS.check_token(token)
    assert caught.value.code == "stale-page"


def test_the_cookie() -> None:
    """Of the server at this port alone, with the whole secret."""
    assert OURS.admits(f"a=b; {OURS.cookie}=key; c=d")
    for cookies in (None, "", "key", f"{OURS.cookie}=", f"{OURS.cookie}=keys", f"{access.cookie_name(8502)}=key", "\x00;;=;"):
        assert not OURS.admits(cookies), cookies
    for beside in ('a={"b": 1}', "a b=c", "=x", '"', "a[0]=1,2"):  # what other programs on this computer leave in a browser
        assert OURS.admits(f"{beside}; {OURS.cookie}=key"), beside
    assert Access(OURS.names, 8501, "token").admits(None)


def test_each_server_has_a_token_of_its_own() -> None:
    before = access.current()
    try:
        assert access.begin(["LOCALHOST", "[::1]"], 1).token != access.begin(["localhost"], 1).token
        assert access.begin(["LOCALHOST", "[::1]"], 1).names == {"localhost", "::1"}
        assert len(access.current().token) > 30
    finally:
        access._current = before


def test_the_disk_is_for_those_at_the_computer() -> None:
    before = access.current()
    try:
        access.begin(["localhost"], 1)
        access.check_disk_may_be_seen()
        access.begin(["localhost"], 1, key="key")
        with pytest.raises(AccessError) as caught:
            access.check_disk_may_be_seen()
        assert caught.value.code == "shared"
    finally:
        access._current = before
