from __future__ import annotations

import threading

import pytest

from transfer_core import i18n


def test_english_is_the_source() -> None:
    """Without a choice, sentences come out as they stand in the code."""
    assert i18n.language() == "en"
    assert i18n._("A sentence that no catalogue has.") == "A sentence that no catalogue has."
    assert i18n.ngettext("{count} file", "{count} files", 1) == "{count} file"
    assert i18n.ngettext("{count} file", "{count} files", 2) == "{count} files"


def test_the_environment_chooses_and_nonsense_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker speaks the language it was started in; an unknown one is English, not an error."""
    monkeypatch.setenv(i18n.VARIABLE, "zh_CN")
    assert i18n.language() == "zh_CN"
    for unknown in ("tlh", "../../etc", ""):
        monkeypatch.setenv(i18n.VARIABLE, unknown)
        assert i18n.language() == "en"


def test_two_threads_read_different_languages() -> None:
    """Two browsers on one server may differ: a choice is not global, and None takes it back."""
    heard: dict[str, str] = {}
    barrier = threading.Barrier(2)

    def browse(code: str) -> None:
        i18n.set_language(code)
        barrier.wait(5)
        heard[code] = i18n.language()

    threads = [threading.Thread(target=browse, args=(code,)) for code in ("en", "zh_CN")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert heard == {"en": "en", "zh_CN": "zh_CN"}
    assert i18n.language() == "en"
    i18n.set_language("zh_CN")
    i18n.set_language(None)
    assert i18n.language() == "en"
