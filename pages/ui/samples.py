"""The pictures of a project: being looked through, counted, shown, and those left out."""

from __future__ import annotations

import streamlit as st

from pages.ui import tables
from pages.ui.guard import fragment, show_error, show_warning
from pages.ui.words import one_line, percent, plain
from transfer_core.data import scanning
from transfer_core.data.project import Project
from transfer_core.data.samples import ClassCount
from transfer_core.errors import DataError, TransferError
from transfer_core.i18n import _, ngettext

_LEFT_OUT_SHOWN = 50
_MANY_CLASSES = 8
_TICK = 0.5  # seconds


def draw_scan(project: Project) -> bool:
    """See to it that the pictures are looked through; returns whether there is something to show."""
    state = scanning.state(project)
    known = project.table.count(state=None)
    if state.status == "none" and not known:
        scanning.start(project)
        state = scanning.state(project)
    # Always called, so that a scan begun in another tab shows up here too.
    fragment(_TICK if state.status == "running" else None)(_watch)(project, state.status)
    if state.status == "failed" and state.error:
        show_error(TransferError.from_data(state.error))
        _again(project, _("Try again"))
    # Until the first scan is through, nothing is divided yet.
    return project.table.count(split="train") > 0 or state.status == "finished"


def _watch(project: Project, known: str) -> None:
    state = scanning.state(project)
    if state.status == "running":
        done = _("{done} of {total}").format(done=f"{state.done:,}", total=f"{state.total:,}") if state.total else ""
        what = {
            "unpack": _("Unpacking the archive"),
            "scan": _("Looking through your pictures"),
            "look": _("Looking at every picture"),
            "compare": _("Looking for pictures that show the same"),
        }[state.doing]
        if state.doing == "unpack" and state.total:
            done = percent(state.done / state.total)
        text = " · ".join(filter(None, [what, done]))
        st.progress(state.done / state.total if state.total else 0.0, text=text)
    if state.status != known:
        st.rerun()


def _again(project: Project, label: str) -> None:
    if st.button(label, icon=":material/refresh:", key="scan-again"):
        scanning.start(project)
        st.rerun()


def draw_verdict(project: Project, counts: list[ClassCount]) -> bool:
    """Say what was found and whether a classifier can learn from it."""
    from transfer_core.data.scan import check_trainable

    left_out = project.table.count(state="out")
    with st.container(horizontal=True):
        st.metric(_("Pictures"), f"{sum(count.total for count in counts):,}", border=True, width=150)
        st.metric(_("Classes"), len(counts), border=True, width=150)
        why = _("Files that can't be used. Each is listed below with its reason.")
        st.metric(_("Left out"), f"{left_out:,}", border=True, width=150, help=why)
    try:
        check_trainable(project)
    except DataError as error:
        show_warning(error)
        return False
    return True


def choose_class(labels: list[str], key: str) -> str:
    """A choice of one class, by a click where there are few, by typing where there are many."""
    if len(labels) <= _MANY_CLASSES:
        chosen = st.pills(
            _("Class"), labels, default=labels[0], required=True, format_func=plain, key=key, label_visibility="collapsed"
        )
    else:
        chosen = st.selectbox(_("Class"), labels, format_func=one_line, key=key)
    return chosen if chosen in labels else labels[0]


def draw_left_out(project: Project) -> None:
    """Draw the files that are not used, each with its reason."""
    total = project.table.count(state="out")
    with st.container(horizontal=True):
        _again(project, _("Look for new pictures"))
    if not total:
        return
    label = ngettext("{count} file was left out: why", "{count} files were left out: why", total).format(count=f"{total:,}")
    with st.expander(label, icon=":material/block:", on_change="rerun", key="left-out") as area:
        if not area.open:
            return
        page = st.pagination(-(-total // _LEFT_OUT_SHOWN), key="page-left-out") if total > _LEFT_OUT_SHOWN else 1
        left_out = project.table.left_out((page - 1) * _LEFT_OUT_SHOWN, _LEFT_OUT_SHOWN)
        rows = [[sample.relative, sample.reason or ""] for sample in left_out]
        tables.draw([_("File"), _("Why it was left out")], rows, left=True)
