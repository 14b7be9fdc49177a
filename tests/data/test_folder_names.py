"""Class names are data: whatever they are, their folders lie where they should, and no two classes share one."""

from __future__ import annotations

import pytest

from transfer_core.data.folder_names import folder_name, folder_names


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("cat", "cat"),
        ("小猫", "小猫"),
        ("a/b", "a_b"),
        ("..", "_"),
        ("../x", "_.._x"),
        ("", "_"),
        (".", "_"),
        ("end. ", "end"),
        (".git", "_.git"),
        ("CON", "_CON"),
        ("nul.txt", "_nul.txt"),
        ("COM²", "_COM²"),
        ("conin$", "_conin$"),
        ("a:b*?", "a_b__"),
        ("x\x1b[2J", "x_[2J"),
    ],
)
def test_folder_names(label: str, name: str) -> None:
    assert folder_name(label) == name


def test_no_two_classes_share_a_folder() -> None:
    """Also where upper and lower case are one, and whatever the characters that no folder takes."""
    labels = ["a/b", "a:b", "a_b", "Rose", "rose", "rose (2)", ""]
    names = folder_names(labels)
    assert set(names) == set(labels)
    assert len({name.casefold() for name in names.values()}) == len(labels)
    assert names == folder_names(reversed(labels))
