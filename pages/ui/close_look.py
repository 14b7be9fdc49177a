"""One picture, large, with what is known of it and what can be done with it."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from pages.ui import editing, pictures, words
from pages.ui.guard import guard
from pages.ui.picture_grid import Action
from pages.ui.words import one_line, plain
from transfer_core.data.project import Project
from transfer_core.data.samples import Sample
from transfer_core.i18n import _

SIZE = 720  # pixels: sharp on most screens, and made in a moment
_ASKED = "picture to look at closely"  # the project's folder and the sample's id


def ask_for(project: Project, ids: Sequence[int]) -> None:
    """Have the page open this picture when it is drawn next: to be called in a callback."""
    if ids:
        st.session_state[_ASKED] = (project.folder, ids[0])


def draw_asked_for(project: Project, labels: Sequence[str]) -> None:
    """Open the picture that was asked for, if one was; it stays open until it is closed, however often the page is drawn meanwhile."""
    folder, asked = st.session_state.get(_ASKED, (None, None))
    found = project.table.samples(state=None, ids=[asked]) if folder == project.folder else []
    if found:
        st.dialog(_("A close look"), width="medium", on_dismiss=_forget)(_guarded)(project, found[0].id, labels)


def _forget() -> None:
    st.session_state.pop(_ASKED, None)


def _guarded(project: Project, id: int, labels: Sequence[str]) -> None:
    with guard():
        found = project.table.samples(state=None, ids=[id])
        if found:
            _draw(project, found[0], labels)


def _draw(project: Project, sample: Sample, labels: Sequence[str]) -> None:
    image = pictures.thumbnails(project.cache, [(sample.path, sample.content)], SIZE)[0]
    if image is not None:
        st.image(str(image), width="stretch", alt=one_line(sample.label or sample.relative))
    else:
        st.warning(_("This picture can't be read"), icon=":material/broken_image:")
    st.markdown("\n\n".join(_facts(sample)))
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        names = [label for label in labels if label != sample.label]
        label = st.selectbox(
            _("Class"),
            names,
            index=None,
            format_func=one_line,
            placeholder=_("another or new class"),
            accept_new_options=True,
            key=f"close-label-{sample.id}",
            width=260,
        )
        if st.button(_("Relabel"), icon=":material/label:", disabled=not label, key="close-relabel") and label:
            _do(project, Action("relabel", (sample.id,), to=label))
        if sample.state == "in" and st.button(_("Exclude"), icon=":material/block:", key="close-exclude"):
            _do(project, Action("exclude", (sample.id,)))
        if sample.state == "excluded" and st.button(_("Put back"), icon=":material/undo:", key="close-restore"):
            _do(project, Action("restore", (sample.id,)))


def _do(project: Project, action: Action) -> None:
    editing.carry_out(project, action)
    _forget()
    st.rerun()


def _facts(sample: Sample) -> list[str]:
    parts = [f"**{plain(sample.label or '')}**", words.use(sample.state, sample.split)]
    if sample.given_label != sample.label:
        parts.append(_("was {name}").format(name=plain(sample.given_label)))
    told = [" · ".join(part for part in parts if part)]
    if sample.reason and sample.state == "out":
        told.append(plain(sample.reason))
    size = f"{sample.width} × {sample.height}" if sample.width else ""
    told.append(" · ".join(part for part in (plain(sample.relative), size, words.size(sample.size)) if part))
    return told
