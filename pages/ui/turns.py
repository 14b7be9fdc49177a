"""Turns: what waits before a training, one that waits itself, and more epochs for one that is finished."""

from __future__ import annotations

import streamlit as st

from pages.ui import address
from pages.ui.guard import guard
from transfer_core.data.project import Project
from transfer_core.i18n import _, ngettext
from transfer_core.runs import dispatcher, extension, queue
from transfer_core.runs.folder import Run
from transfer_core.training.settings import RunSettings

_USUAL = 10  # epochs


def ahead(settings: RunSettings) -> int:
    """How many trainings go before one of these settings: those at work or waiting on its device."""
    device = queue.device_for(settings)
    return sum(entry.device == device for entry in [*queue.at_work(), *queue.order()])


def ahead_sentence(count: int) -> str:
    """That so many go first."""
    return ngettext(
        "{count} training goes first. This one then begins by itself, also when no page is open.",
        "{count} trainings go first. This one then begins by itself, also when no page is open.",
        count,
    ).format(count=count)


def draw_waiting(run: Run) -> None:
    """Draw that the training waits, and how it is taken out again."""
    entry = queue.find(run)
    if entry is None:
        return
    waiting = [other for other in queue.order() if other.device == entry.device]
    before = waiting.index(entry) + sum(other.device == entry.device for other in queue.at_work())
    st.info(ahead_sentence(before), icon=":material/schedule:")
    with st.container(horizontal=True):
        if st.button(_("Take out of the queue"), icon=":material/playlist_remove:", key="cancel"):
            with guard():
                queue.cancel(run)
                st.rerun()


def draw_more_epochs(project: Project, run: Run) -> None:
    """Offer a finished training of the plan custom more epochs."""
    if run.settings.plan != "custom":
        return
    st.header(_("Train on"), anchor=False)
    st.caption(_("It goes on from where it ended. Until it is finished again, the model from before answers."))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        count = int(st.number_input(_("More epochs"), 1, extension.MOST, _USUAL, key=f"more-epochs-{run.id}", width=160))
        label = ngettext("{count} more epoch", "{count} more epochs", count).format(count=count)
        if st.button(label, icon=":material/forward_10:" if count == _USUAL else ":material/fast_forward:", key="extend"):
            with guard():
                extension.ask(run, count)
                dispatcher.submit(run, first=True)
                address.go("train", project, run)
