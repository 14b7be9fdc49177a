"""The automatic model on a page: a line that says how it stands, and that sees to it that it follows the pictures."""

from __future__ import annotations

import streamlit as st

from pages.ui import address, on_disk, scores
from pages.ui.guard import fragment, guard
from pages.ui.words import plain
from transfer_core.data.project import Project
from transfer_core.i18n import _
from transfer_core.metrics.intervals import Score
from transfer_core.runs import automatic
from transfer_core.runs.automatic import Automatic
from transfer_core.runs.folder import Run
from transfer_core.web import access

TICK = 2.0  # seconds between two looks at the pictures

_ICONS = {
    "few": ":material/hourglass_empty:",
    "many": ":material/info:",
    "waiting": ":material/schedule:",
    "behind": ":material/update:",
    "training": ":material/model_training:",
    "ready": ":material/bolt:",
    "failed": ":material/error:",
}


def draw(project: Project, page: str) -> None:
    """Draw the line, again every two seconds; the Try page as a whole when there is another model to try. To be called always."""
    model = automatic.model_of(project.folder)
    fragment(TICK)(_line)(project, page, model.id if model else None)


def _line(project: Project, page: str, known: str | None) -> None:
    state = automatic.follow(project)
    if page == "try" and (state.model.id if state.model else None) != known:
        st.rerun()
    if state.status == "off":
        return
    with st.container(border=True, gap="xsmall", key="automatic"):
        st.markdown(f"{_ICONS[state.status]} {_sentence(state)}")
        if state.model is not None and page != "try":
            address.link("try", _("Try it"), project, state.model, ":material/image_search:")
        elif state.status == "many":
            address.link("train", _("Go to the Train page"), project, icon=":material/model_training:")


def _sentence(state: Automatic) -> str:
    if state.status == "few":
        return _(
            "As soon as two classes have {count} pictures each, a quick model is trained by itself, so that you can try it at once."
        ).format(count=automatic.FEWEST)
    if state.status == "many":
        return _(
            "With more than {count} pictures no quick model is trained by itself: it would take too long. The Train page does it."
        ).format(count=f"{automatic.MOST:,}")
    if state.status == "waiting":
        return _("Your own training goes first. The quick model follows your pictures again when it is through.")
    if state.status == "failed":
        reason = " ".join(plain(part) for part in (state.error.message, state.error.fix) if part) if state.error else ""
        return _("The quick model can't follow your pictures: {reason} It is tried again when they change.").format(reason=reason)
    if state.model is None:
        return _("A first quick model is being trained, so that you can try it in a moment.")
    if state.status == "ready":
        return _("A quick model follows your pictures.") + " " + _score(state.model)
    return _("Your pictures changed: the quick model is being trained anew. Until then the one from before answers.")


def _score(run: Run) -> str:
    found = (run.report() or {}).get("val")
    if not found:
        return _("There were no pictures to test it on, so nobody knows how often it is right.")
    score = Score(found["accuracy"], found["low"], found["high"], found["count"])
    return scores.sentence(score)


def draw_preference() -> None:
    """Choose whether there are automatic models: for all projects, and so only at the computer itself."""
    if access.current().shared:
        return
    st.header(_("Automatic model"), anchor=False)
    wanted = automatic.wanted()
    bound = on_disk.bound("automatic-wanted", wanted, _want, value=wanted)
    st.toggle(_("Train a quick model by itself, and again after every change"), **bound)
    st.caption(
        _(
            "It begins when two classes have {fewest} pictures each, takes seconds, makes way for your own trainings, and can be tried on "
            "the Try page. With more than {most} pictures it stays out of the way."
        ).format(fewest=automatic.FEWEST, most=f"{automatic.MOST:,}")
    )


def _want(wanted: bool) -> None:
    with guard():
        automatic.want(wanted)
