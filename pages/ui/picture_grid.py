"""Pictures to select from, by pointer and by keyboard, and what is to be done with the selected ones: a component of our own."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.components.v2 import component

from pages.ui.guard import guard
from pages.ui.words import one_line
from transfer_core.i18n import _

_HTML = """
<div class="pg">
  <div class="bar" role="toolbar"></div>
  <ul role="listbox" aria-multiselectable="true"></ul>
  <dialog></dialog>
</div>
"""
_KINDS = frozenset({"relabel", "exclude", "restore", "move", "undo", "redo", "open", "page"})
_SPLITS = ("train", "val", "test")


def _source(ending: str) -> str:
    return Path(__file__).with_name(f"picture_grid.{ending}").read_text(encoding="utf-8")


_grid = component("transfer_studio_picture_grid", html=_HTML, css=_source("css"), js=_source("js"))


@dataclass(frozen=True)
class Picture:
    """One picture of a grid: its sample's id, its thumbnail, and what is said of it; texts are data and shown as they are.

    `state` is that of the sample; `mark` lies on the picture, such as why it is shown.
    """

    id: int
    image: Path | None
    name: str
    label: str
    small: str = ""
    state: str = "in"
    mark: str = ""


@dataclass(frozen=True)
class Action:
    """What somebody wants done: `kind` is one of relabel, exclude, restore, move, undo, redo, open and page.

    `everything` means all pictures that match, those of other pages too, and `ids` is empty then. `to` is the class, the split, or by
    how many pages to turn.
    """

    kind: str
    ids: tuple[int, ...] = ()
    everything: bool = False
    to: str = ""


def draw(
    pictures: Sequence[Picture],
    classes: Sequence[str],
    total: int,
    label: str,
    key: str,
    act: Callable[[Action], None],
) -> None:
    """Draw `pictures`, a page of the `total` that match; `act` is called for each thing that somebody does, before the page is drawn again.

    `classes` are what pictures can be relabelled to; the first nine have the digits as their keys. `label` says to screen readers
    what is shown.
    """

    data = {
        "items": [_item(picture) for picture in pictures],
        "classes": [[name, one_line(name)] for name in classes],  # the second is shown
        "splits": [[split, name] for split, name in zip(_SPLITS, (_("learning"), _("checking"), _("testing")), strict=True)],
        "total": total,
        "label": label,
        "words": _words(total),
        "keys": _keys(),
        "done": st.session_state.get(_done_key(key), 0),
    }
    _grid(key=key, data=data, on_actions_change=partial(_carry_out, key, act))


def _item(picture: Picture) -> dict[str, Any]:
    name, small = one_line(picture.name), one_line(picture.small)
    return {
        "id": picture.id,
        "image": _data_address(picture.image),
        "name": name,
        "label": one_line(picture.label),
        "small": small,
        "state": picture.state,
        "mark": one_line(picture.mark),
        "told": ", ".join(part for part in (one_line(picture.label), name, small, one_line(picture.mark)) if part),
    }


def _data_address(image: Path | None) -> str | None:
    try:
        return "data:image/jpeg;base64," + base64.b64encode(image.read_bytes()).decode() if image else None
    except OSError:
        return None


def _done_key(key: str) -> str:
    return f"{key} last action done"


def _carry_out(key: str, act: Callable[[Action], None]) -> None:
    for action in _new_actions(key):
        with guard():  # each by itself: one that fails does not take those after it along
            act(action)


def _new_actions(key: str) -> list[Action]:
    """The actions that the browser told of and that were not done yet; what is not one is passed over."""
    told = getattr(st.session_state.get(key), "actions", None)
    done = st.session_state.get(_done_key(key), 0)
    found = []
    for each in told if isinstance(told, list | tuple) else ():
        action = read_action(each)
        if action is None or each["number"] <= done:
            continue
        done = each["number"]
        found.append(action)
    st.session_state[_done_key(key)] = done
    return found


def read_action(told: Any) -> Action | None:
    """What a browser said as an `Action`, or None for what is none: anything can stand in a message from outside."""
    if not isinstance(told, dict) or not isinstance(told.get("number"), int | float):
        return None
    kind, ids, to = told.get("kind"), told.get("ids"), told.get("to", "")
    if kind not in _KINDS or not isinstance(ids, list) or not isinstance(to, str):
        return None
    if not all(isinstance(each, int) and not isinstance(each, bool) for each in ids):
        return None
    return Action(kind, tuple(ids), told.get("everything") is True, to)


def _words(total: int) -> dict[str, str]:
    return {
        "bar": _("What to do with the selected pictures"),
        "nothing": _("Select pictures by a click, or with the arrow keys and the space bar."),
        "selected": _("{count} selected"),
        "all": _("Select this page"),
        "everything": _("Select all {count}").format(count=f"{total:,}"),
        "none": _("Select none"),
        "relabel_to": _("Relabel to {name}"),
        "relabel": _("Relabel"),
        "other": _("another or new class"),
        "exclude": _("Exclude"),
        "restore": _("Put back"),
        "move": _("Use for …"),
        "look": _("Look closely"),
        "keys": _("Keys"),
        "close": _("Close"),
        "unreadable": _("This picture can't be read"),
    }


def _keys() -> list[list[str]]:
    return [
        [_("Arrows"), _("go from picture to picture")],
        [_("Space"), _("select, or not")],
        [_("Shift and arrows"), _("select several")],
        [_("Ctrl A"), _("select this page")],
        [_("Esc"), _("select none")],
        ["1 … 9", _("relabel to the class with this number")],
        [_("Delete or X"), _("exclude: learn nothing from it")],
        ["B", _("put back what was excluded")],
        [_("Enter"), _("look closely")],
        [_("Ctrl Z, Ctrl Shift Z"), _("undo, redo")],
        [_("Page down, page up"), _("next page, page before")],
    ]
