"""The Train page in each of its moments: before, while and after a training."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import streamlit as st

from pages.ui import address, answers, command, drafts, form, frame, keeping, live, scores, setting_words, turns, watch, words
from pages.ui.guard import guard, show_error, show_warning
from pages.ui.words import plain
from transfer_core.backbones.catalogue import catalogue
from transfer_core.data.project import Project
from transfer_core.data.scan import check_trainable
from transfer_core.errors import DataError
from transfer_core.i18n import _
from transfer_core.runs import dispatcher, queue
from transfer_core.runs.folder import Run, create_run, list_runs
from transfer_core.runs.state import RunState
from transfer_core.training.conflicts import Conflict
from transfer_core.training.settings import RunSettings

_beginning = threading.Lock()
_TWO_CLICKS = 3.0  # seconds between two that are meant as one
# The button, and what stands in its way, stay in sight while somebody goes through a long form beside them.
_STYLE = """
<style>
@media (min-width: 641px) {
  [data-testid="stColumn"]:has(.st-key-train-start) { position: sticky; top: 4.5rem; align-self: flex-start; }
}
</style>
"""


def draw(project: Project, run: Run | None) -> None:
    """Draw the page for the training that the address names, the one at work, or the next one."""
    if run is None and not address.wants_new() and (run := watch.active_run(project.folder)) is not None:
        address.stay_with(project, run)
    if run is None:
        _before(project)
        return
    state, waits = watch.state_of(run), queue.find(run) is not None
    _top(run, state, waits)
    if state.status == "finished":
        _result(project, run)
    if waits:
        turns.draw_waiting(run)
    elif state.status == "finished":
        turns.draw_more_epochs(project, run)
    elif state.ended or state.status == "queued":
        _resting(project, run, state)
    live.draw(run, state, waits)
    with st.expander(_("Settings of this training"), icon=":material/tune:"):
        _facts(project, run.settings)
    st.space("small")
    label = _("Train again with other settings") if state.ended else _("Set up another training")
    if st.button(label, icon=":material/replay:", key="again"):
        address.go_to_new(project)


def _before(project: Project) -> None:
    frame.heading(_("Train"), _("One click and it begins. What is set is a good start: you can change it, you need not."))
    st.html(_STYLE)
    beside, around = st.columns([1, 2], gap="medium")
    # First what is set, because a press of the button means that.
    with around, st.container(border=True):
        settings, conflicts = form.draw(project)
    with beside, st.container(key="train-start"):
        _start(project, settings, conflicts)
    _command(project, settings)


def _start(project: Project, settings: RunSettings, conflicts: Sequence[Conflict]) -> None:
    """The button that begins, what stands in its way, and what it begins with."""
    ready = _ready(project)
    if conflicts:
        lines = "\n".join(f"* {setting_words.told(conflict)}" for conflict in conflicts)
        st.error(_("These settings don't go together:") + f"\n\n{lines}", icon=":material/error:")
    ahead = turns.ahead(settings)
    pressed = st.button(
        _("Add to the queue") if ahead else _("Start training"),
        type="primary",
        icon=":material/play_arrow:",
        width="stretch",
        disabled=not ready or bool(conflicts),
        key="start",
    )
    if pressed:
        with guard():
            run = begin(project)
            address.go("train", project, run)
    if ahead:
        st.caption(turns.ahead_sentence(ahead))
    counts = project.table.classes()
    st.markdown(f"{words.pictures(sum(count.total for count in counts))} · {words.classes(len(counts))}")
    info = catalogue().get(settings.backbone)
    st.markdown(_("Starts from: {backbone}").format(backbone=f"**{plain(info.title if info else settings.backbone)}**"))
    address.link("backbone", _("Choose another backbone"), project, icon=":material/hub:")


def _ready(project: Project) -> bool:
    """Whether there are pictures to train on; why not is said."""
    try:
        check_trainable(project)
        ready = not project.missing_sources()
    except DataError as error:
        show_warning(error)
        ready = False
    if not ready:
        address.link("data", _("See the Data page"), project, icon=":material/photo_library:")
    return ready


def begin(project: Project) -> Run:
    """Begin a training by the project's draft, when its turn comes. Two clicks begin one."""
    with _beginning:
        settings = drafts.read(project)
        just_now = _begun_just_now(project, settings)
        if just_now is not None:
            return just_now
        run = create_run(project, settings)
        dispatcher.submit(run)
        return run


def _begun_just_now(project: Project, settings: RunSettings) -> Run | None:
    """The training that the first of two clicks began."""
    newest = next(iter(list_runs(project.folder)), None)
    if newest is None or time.time() - newest.created > _TWO_CLICKS or newest.settings != settings:
        return None
    return newest if watch.state_of(newest).status in watch.ACTIVE or queue.find(newest) else None


def _top(run: Run, state: RunState, waits: bool) -> None:
    titles = {
        "queued": _("Ready to train"),
        "starting": _("Training is starting"),
        "running": _("Training"),
        "stopped": _("Training was stopped"),
        "paused": _("Training is paused"),
        "finished": _("Your model is ready"),
        "failed": _("Training could not go on"),
        "died": _("Training was interrupted"),
    }
    waiting = waits and state.status != "finished"
    st.title(_("Waiting for its turn") if waiting else titles[state.status], anchor=False)
    st.caption(f"{plain(run.name)} · {words.moment(run.created)}")


def _result(project: Project, run: Run) -> None:
    with guard():
        results = scores.results_of(run)
        scores.draw(results)
        st.header(_("Try it"), anchor=False)
        answers.draw_drop_area(project, run)
        if results.answered:
            st.markdown(_("A few of the held-out pictures, with what the model said of them:"))
            answers.draw_answered(project, results, answers.examples(results))
        with st.container(horizontal=True):
            if st.button(_("See what it gets wrong"), type="primary", icon=":material/arrow_forward:", key="forward-results"):
                address.go("results", project, run)
            if st.button(_("Try more and keep the model"), icon=":material/image_search:", key="forward-try"):
                address.go("try", project, run)


def _resting(project: Project, run: Run, state: RunState) -> None:
    """A training that is not at work and has no result: why, and the button that goes on."""
    if state.status in ("stopped", "paused"):
        st.markdown(_("What was finished is kept: it goes on from there."))
    elif state.status == "died":
        st.warning(
            _(
                "The program that was training ended without a word: it was ended from outside, or the computer went off "
                "or ran out of memory. Nothing that was finished is lost."
            ),
            icon=":material/power_off:",
        )
    elif state.error is not None:
        show_error(state.error)
    label = _("Start training") if state.status == "queued" else _("Resume")
    if st.button(label, type="primary", icon=":material/play_arrow:", key="resume"):
        with guard():
            dispatcher.submit(run, first=state.status != "queued")
            address.go("train", project, run)
    if state.status in ("failed", "died"):
        keeping.draw_log(run)


def _facts(project: Project, settings: RunSettings) -> None:
    info = catalogue().get(settings.backbone)
    lines = [_("Plan: {plan}").format(plan=setting_words.choice("plan", settings.plan))]
    lines.append(_("Starts from: {backbone}").format(backbone=plain(info.title if info else settings.backbone)))
    st.markdown("\n".join(f"* {line}" for line in lines + setting_words.summary(settings)))
    _command(project, settings, folded=False)


def _command(project: Project, settings: RunSettings, folded: bool = True) -> None:
    text = command.train(project, settings)
    if not folded:
        st.caption(_("The same from a terminal:"))
        st.code(text, language="bash", wrap_lines=True)
        return
    with st.expander(_("The same from a terminal"), icon=":material/terminal:"):
        st.caption(_("For those who like to type: this command does what the button does."))
        st.code(text, language="bash", wrap_lines=True)
