"""A file of weights that the user brings: what it fits, what is missing and left over, before anything runs with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from pages.ui import folders, jobs_view, watch
from pages.ui.backbones import choose
from pages.ui.guard import guard, show_error
from pages.ui.words import one_line, plain
from transfer_core.backbones.catalogue import STARTER, catalogue
from transfer_core.backbones.inspection import is_brought
from transfer_core.data.project import Project
from transfer_core.errors import TransferError
from transfer_core.i18n import _, ngettext
from transfer_core.runs import jobs
from transfer_core.runs.jobs import Job
from transfer_core.runs.state import RunState
from transfer_core.training.settings import RunSettings
from transfer_core.web import access

KIND = "inspect"
_NAMED = 4  # parameters of each kind that are named


def draw(project: Project, settings: RunSettings) -> None:
    """Draw the way in for a file, and what the last one turned out to be; not for those who joined over the network."""
    if access.current().shared:
        return
    job = jobs_view.newest(KIND, project.folder)
    with st.expander(_("Use a file with weights of your own"), icon=":material/upload_file:", expanded=job is not None):
        st.markdown(
            _(
                "Weights are the numbers that a network has learned. If this computer has no internet, or you have trained "
                "weights yourself, give a file (.pth, .pt or .safetensors), or the folder of a model of this program. It is "
                "looked at first, and only read."
            )
        )
        _form(project)
        jobs_view.follow(KIND, project.folder, _sentence)
        if job is not None and not jobs_view.at_work(job):
            _outcome(project, job, settings)


def _form(project: Project) -> None:
    everything = catalogue()
    with st.form("own-weights", border=False):
        text = st.text_input(_("File on this computer"), key="own-file")
        name = st.selectbox(
            _("The network the file is for"),
            ["", *(name for name in everything if name != STARTER)],
            format_func=lambda name: everything[name].title if name else _("Find out by itself"),
            key="own-network",
        )
        if st.form_submit_button(_("Look at this file"), icon=":material/search:"):
            with guard():
                file = folders.typed_path(text)
                if file is None or not is_brought(file):
                    file = folders.typed_file(text)  # which says what is wrong
                jobs.begin(KIND, {"file": str(file), "backbone": name or None}, project.folder)
                st.rerun()


def _sentence(state: RunState) -> str:
    return _("Looking at the file")


def _outcome(project: Project, job: Job, settings: RunSettings) -> None:
    state = watch.state_of(job)
    st.text(str(job.arguments.get("file")))
    if state.error is not None:
        show_error(state.error)
        return
    report = job.report() if state.status == "finished" else None
    if not report:
        return
    backbone = report["backbone"]
    info = catalogue().get(backbone) if backbone else None
    title = plain(info.title if info else backbone)
    if report["published_as"]:
        st.markdown(_("It is the published file of {name}.").format(name=plain(report["published_as"])))
    if report["match"]:
        _match(title, report)
    if report["problem"]:
        show_error(TransferError.from_data(report["problem"]))
    elif (settings.backbone, settings.weights) == (backbone, job.arguments["file"]):
        st.markdown(":green[:material/check_circle: " + _("It is the one that training starts from.") + "]")
    elif backbone:
        st.markdown(":green[:material/check_circle: " + _("Training can start from it.") + "]")
        if st.button(_("Use this file"), type="primary", icon=":material/check:", key="use-file"):
            choose(project, str(backbone), str(job.arguments["file"]))


def _match(title: str, report: Mapping[str, Any]) -> None:
    match = report["match"]
    usable = report["usable"]
    head = _("It fits **{name}**.") if usable else _("Held against **{name}**:")
    st.markdown(head.format(name=title))
    lines = [
        ngettext(
            "{count} of its parts matches: {numbers} learned numbers.",
            "{count} of its parts match: {numbers} learned numbers.",
            len(match["matched"]),
        ).format(count=len(match["matched"]), numbers=f"{report['parameters']:,}")
    ]
    for label, names in (
        (_("Missing"), match["missing"]),
        (_("Of another shape"), match["other_shape"]),
        (_("Left over, and not used (such as the classes it was made for)") if usable else _("Left over"), match["left_over"]),
    ):
        if names:
            lines.append(f"{label}: {_some(names)}")
    if usable and not match["left_over"]:
        lines.append(_("Nothing is missing, nothing is left over."))
    elif usable:
        lines.append(_("Nothing is missing."))
    st.markdown("\n".join(f"* {line}" for line in lines))


def _some(names: Sequence[str]) -> str:
    some = ", ".join(f"`{_code(name)}`" for name in names[:_NAMED])
    return f"{len(names)} ({some}{', …' if len(names) > _NAMED else ''})"


def _code(name: str) -> str:
    """A parameter's name inside backticks, which end at another one."""
    return one_line(name).replace("`", "'")[:80] or "?"
