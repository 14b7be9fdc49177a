"""Changing what the pictures are taken for: what somebody asked for, carried out as edits; taking back, and the list of changes."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from pages.ui.guard import guard
from pages.ui.picture_grid import Action
from pages.ui.words import moment, one_line, plain
from transfer_core.data.edits import Edits
from transfer_core.data.project import Project
from transfer_core.i18n import _

LISTED = 50  # changes that the list shows


def carry_out(project: Project, action: Action, everything: Sequence[int] = ()) -> None:
    """Do what was asked for; `everything` are the samples meant where it is all that match. Raises DataError, StorageError."""
    edits = Edits(project)
    ids = list(everything) if action.everything else list(action.ids)
    if action.kind == "relabel":
        edits.relabel(ids, action.to)
    elif action.kind == "exclude":
        edits.exclude(ids)
    elif action.kind == "restore":
        edits.restore(ids)
    elif action.kind == "move":
        edits.move(ids, action.to)
    elif action.kind == "undo":
        edits.undo()
    elif action.kind == "redo":
        edits.redo()


def draw_history(project: Project) -> None:
    """The buttons that take back and do again, in the words of what they would do, and the list of changes; nothing before the first."""
    edits = Edits(project)
    undo, redo = edits.next_undo(), edits.next_redo()
    if undo is None and redo is None:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="history-bar"):
        if undo is not None:
            label = _("Undo: {what}").format(what=plain(undo.words))
            st.button(label, icon=":material/undo:", key="undo", on_click=_step, args=(project, "undo"))
        if redo is not None:
            label = _("Redo: {what}").format(what=plain(redo.words))
            st.button(label, icon=":material/redo:", key="redo", on_click=_step, args=(project, "redo"))
        with st.popover(_("Changes"), icon=":material/history:", on_change="rerun", key="history") as part:
            if part.open:
                _list(edits)


def _step(project: Project, kind: str) -> None:
    with guard():
        carry_out(project, Action(kind))


def _list(edits: Edits) -> None:
    st.markdown(_("What was changed, the last first. Your files stay as they are; this list says how they are used."))
    history = edits.history(LISTED + 1)
    for edit in history[:LISTED]:
        st.text(f"{moment(edit.time)}  {one_line(edit.words)}")
    if len(history) > LISTED:
        st.caption(_("Earlier ones are not listed here, and can be taken back all the same."))


def names_of(project: Project) -> list[str]:
    """The classes in use, by name."""
    return [count.label for count in project.table.classes()]
