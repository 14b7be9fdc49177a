"""The sidebar: the path through the pages, and the training and the downloads at work, whichever page is open."""

from __future__ import annotations

import streamlit as st

from pages.ui import address, progress, steps, watch
from pages.ui.guard import fragment
from pages.ui.words import one_line, plain
from transfer_core.data.project import Project
from transfer_core.i18n import _
from transfer_core.runs import dispatcher, jobs
from transfer_core.runs.folder import Run

_SEEN = "training seen at work"
BUSY, IDLE = 2.0, 5.0  # seconds between two looks


def draw(key: str, project: Project | None, run: Run | None) -> None:
    """Draw the sidebar."""
    active = watch.active_run(project.folder) if project else None
    with st.sidebar:
        st.markdown("**Transfer Studio**  \n:small[" + _("from pictures to a classifier") + "]")
        if project is not None:
            with st.container(gap="xxsmall"):
                st.caption(_("Project"))
                st.text(one_line(project.name))
        _links(project, run)
        if project is not None:
            # Always called, so that a training begun in another tab shows up here too; the Train page has its own live view.
            every = None if key == "train" and active else BUSY if active else IDLE
            fragment(every)(_watch)(key, project, active.id if active else None)
    # Last, so that a queue that can't be read hides nothing else.
    dispatcher.ensure_dispatcher()


def _links(project: Project | None, run: Run | None) -> None:
    behind = steps.done(project) if project else set()
    for page in steps.PATH:
        icon = ":material/check_circle:" if page in behind and page != "home" else steps.ICONS[page]
        address.link(page, steps.title(page), project, run, icon)
    st.space("small")
    for page in steps.BESIDE:
        address.link(page, steps.title(page), project, run, steps.ICONS[page])


def _watch(key: str, project: Project, known: str | None) -> None:
    active = watch.active_run(project.folder)
    if (active.id if active else None) != known:
        st.rerun()
    dispatcher.ensure_dispatcher()
    if key != "backbone":  # which has them in its list
        _downloads(project)
    if active is None or key == "train":
        return
    with st.container(border=True, gap="xsmall"):
        st.markdown("**" + _("Training") + "**")
        progress.bar(watch.state_of(active))
        address.link("train", _("Watch"), project, active, ":material/visibility:")


def _downloads(project: Project) -> None:
    for job in jobs.list_jobs():
        state = watch.state_of(job)
        if job.kind == "fetch" and state.status in watch.ACTIVE:
            with st.container(border=True, gap="xsmall"):
                st.markdown("**" + _("Download") + f"**  \n:small[{plain(job.arguments.get('backbone'))}]")
                st.progress(progress.share(state), text=progress.download(state.history.progress or {}))
                address.link("backbone", _("Watch"), project, icon=":material/visibility:")


def notice(key: str, project: Project | None, run: Run | None) -> str | None:
    """What the tab's title says of a training.

    On the Train page, how the one shown stands; elsewhere, that one is at work, or how it ended, until another page is opened.
    """
    if project is None:
        return None
    active = watch.active_run(project.folder)
    shown = run or active
    if key == "train" and shown is not None:
        st.session_state.pop(_SEEN, None)
        return progress.status_word(watch.state_of(shown).status)
    if active is not None:
        st.session_state[_SEEN] = (key, active)
        return progress.status_word("running")
    where, seen = st.session_state.get(_SEEN, (None, None))
    if seen is None or where != key or not seen.folder.exists():
        st.session_state.pop(_SEEN, None)
        return None
    return progress.status_word(watch.state_of(seen).status)
