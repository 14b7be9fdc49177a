"""A file made for a download stays there until the browser had time to fetch it, whoever else's pages are drawn meanwhile."""

from __future__ import annotations

import pytest
from streamlit.runtime.media_file_manager import MediaFileManager
from streamlit.runtime.memory_media_file_storage import MemoryMediaFileStorage

from pages.ui import handing_over


class Runtime:
    def __init__(self) -> None:
        self.media_file_mgr = MediaFileManager(MemoryMediaFileStorage("/media"))


@pytest.fixture
def manager(monkeypatch: pytest.MonkeyPatch) -> MediaFileManager:
    running = Runtime()
    monkeypatch.setattr(handing_over.runtime, "get_instance", lambda: running)
    return running.media_file_mgr


def pressed(manager: MediaFileManager, monkeypatch: pytest.MonkeyPatch, seconds: float) -> str:
    """The name of the file that a press makes, as Streamlit carries it out."""
    monkeypatch.setattr(handing_over, "_SECONDS", seconds)
    made = {}
    monkeypatch.setattr(handing_over.st, "download_button", lambda _label, data, **_options: made.update(data=data))
    handing_over.button("Download", lambda: b"a,b\n", "table.csv", "text/csv")
    file = manager.add_deferred(made["data"], "text/csv", "place", file_name="table.csv")
    return manager.execute_deferred(file).rpartition("/")[2]


def test_others_pages_are_drawn_before_it_is_fetched(manager: MediaFileManager, monkeypatch: pytest.MonkeyPatch) -> None:
    name = pressed(manager, monkeypatch, 60.0)
    for _drawing in range(5):
        manager.remove_orphaned_files()
    assert manager._storage.get_file(name).content == b"a,b\n"


def test_it_goes_in_the_end(manager: MediaFileManager, monkeypatch: pytest.MonkeyPatch) -> None:
    name = pressed(manager, monkeypatch, 0.0)
    for timer in [each for each in handing_over.threading.enumerate() if isinstance(each, handing_over.threading.Timer)]:
        timer.join(5)
    for _drawing in range(2):
        manager.remove_orphaned_files()
    assert manager.read_file(name) is None
