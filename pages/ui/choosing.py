"""Which backbone suits these pictures: the button that has it found out, how far that is, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from pages.ui import jobs_view, progress, tables, watch, words
from pages.ui.backbones import choose
from pages.ui.changed import fingerprint
from pages.ui.guard import guard, show_error
from pages.ui.shortlist import SUGGESTED
from pages.ui.words import plain
from transfer_core.advice.listing import Listed, setting_for
from transfer_core.data.project import Project
from transfer_core.data.scan import check_trainable
from transfer_core.errors import DataError
from transfer_core.i18n import _, ngettext
from transfer_core.runs import jobs
from transfer_core.runs.jobs import Job
from transfer_core.runs.state import RunState
from transfer_core.training.settings import RunSettings

KIND = "choose"
MOST = 1000  # pictures that are looked at
_BUTTONS = 6  # rows that have a button; more than that is what the catalogue is for

Row = Mapping[str, Any]


def draw(project: Project, rows: Sequence[Listed], settings: RunSettings) -> None:
    """Draw the way to a choice by the pictures themselves, and the last one's outcome."""
    with st.container(border=True):
        st.header(_("Let your pictures choose"), anchor=False)
        job = jobs_view.newest(KIND, project.folder)
        jobs_view.follow(KIND, project.folder, _sentence)
        report = _outcome(job) if job is not None else None
        if report:
            _result(project, report, settings)
        else:
            st.markdown(
                _(
                    "The program looks at up to {most} of your pictures with each network whose weights are here, tries which tells "
                    "your classes apart best, and recommends one."
                ).format(most=f"{MOST:,}")
            )
        if not jobs_view.at_work(job):
            _offer(project, rows, settings, _("Compare again") if job else _("Compare on my pictures"))


def _offer(project: Project, rows: Sequence[Listed], settings: RunSettings, label: str) -> None:
    """The button that begins a choice, with what it would be among and how long it would take."""
    absent = [row for row in rows if row.origin == "published" and row.info.name in SUGGESTED and not row.here]
    more = False
    if absent:
        size = words.size(sum(row.file_size for row in absent))
        more = st.checkbox(
            _("Download the suggested ones too ({size}), so that there is more to choose from").format(size=size),
            key="choose-more",
        )
    taking = [row for row in rows if row.kept is not None] + (absent if more else [])
    try:
        check_trainable(project)
        ready = not project.missing_sources()
    except DataError as error:
        st.caption(plain(error.message))
        ready = False
    if len(taking) < 2:
        st.caption(
            _("Only one network is here: download another one below, or tick the box, so that there is something to compare.")
        )
    with st.container(horizontal=True, vertical_alignment="center"):
        able = ready and len(taking) >= 2
        pressed = st.button(label, icon=":material/compare_arrows:", key="choose", disabled=not able)
        if able:
            st.caption(_told_before(taking, project.table.count()), width="content")
    if pressed:
        with guard():
            download = [row.info.name for row in absent] if more else []
            arguments = {"project": str(project.folder), "download": download, "threads": settings.threads}
            jobs.begin(KIND, arguments, project.folder)
            st.rerun()


def _told_before(taking: Sequence[Listed], pictures: int) -> str:
    seconds = sum(row.seconds for row in taking) * min(1.0, MOST / max(1, pictures))
    count = ngettext("{count} network", "{count} networks", len(taking)).format(count=len(taking))
    return _("{networks}, about {time}").format(networks=count, time=words.short_duration(max(seconds, 1.0)))


def _sentence(state: RunState) -> str:
    told = state.history.progress or {}
    name = told.get("candidate")
    return (f"{plain(name)} · " if name else "") + progress.sentence(state)


def _outcome(job: Job) -> dict[str, Any] | None:
    """What came of the last choice; what went wrong is drawn."""
    state = watch.state_of(job)
    if state.status in ("failed", "died") and state.error is not None:
        show_error(state.error)
    elif state.status == "stopped":
        st.caption(_("It was stopped. What was found out so far is kept: it goes on from there."))
    return job.report() if state.status == "finished" else None


def _result(project: Project, report: Mapping[str, Any], settings: RunSettings) -> None:
    rows: list[Row] = list(report["rows"])
    best: Row | None = report.get("recommended")
    st.markdown(f":material/lightbulb: **{plain(report['why'])}**")
    if report.get("fingerprint") != fingerprint(project):
        st.warning(_("Your pictures have changed since. Compare again to be sure."), icon=":material/history:")
    if best is not None and _is_chosen(best, settings):
        st.markdown(":green[:material/check_circle: " + _("It is the one that training starts from.") + "]")
    elif best is not None:
        label = _("Use {name}").format(name=plain(best["label"]))
        if st.button(label, type="primary", icon=":material/check:", key="use-recommended"):
            _use(project, best)
    _table(rows)
    st.caption(
        _(
            "Right: how many of {count} pictures a quick training answers rightly that it did not learn from; the paler part of "
            "the bar is how unsure that number is. It is worked out for the best three; for the others, by the pictures most alike."
        ).format(count=f"{report['looked_at']:,}")
    )
    others = [row for row in rows if not row["left_out"] and row != best and not _is_chosen(row, settings)][: _BUTTONS - 1]
    with st.container(horizontal=True, gap="small"):
        for number, row in enumerate(others):
            if st.button(_("Use {name}").format(name=plain(row["label"])), key=f"use-{number}"):
                _use(project, row)
    for row in rows:
        if row["left_out"]:
            st.caption(f"**{plain(row['label'])}**: {plain(row['left_out'])}")


def _table(rows: Sequence[Row]) -> None:
    shown = [row for row in rows if not row["left_out"]]
    if not shown:
        return
    head = [_("Network"), _("Right"), _("Time for all"), _("Size")]
    lines, bars = [], []
    for row in shown:
        score = row["validated"] or row["neighbours"]
        mark = "" if row["commercial"] else " (" + _("see its licence") + ")"
        lines.append([row["label"] + mark, _right(row), _time(row), words.size(row["file_size"])])
        bars.append((score["low"], score["high"]) if score else (0.0, 0.0))
    tables.draw(head, lines, bars)


def _right(row: Row) -> str:
    if score := row["validated"]:
        return _("{share} ({low} to {high})").format(**{key: words.percent(value) for key, value in _shares(score).items()})
    if score := row["neighbours"]:
        return _("about {share}").format(share=words.percent(score["accuracy"]))
    return "–"


def _shares(score: Row) -> dict[str, float]:
    return {"share": score["accuracy"], "low": score["low"], "high": score["high"]}


def _time(row: Row) -> str:
    how = _("measured") if row["seconds_measured"] else _("estimated")
    return f"{words.short_duration(row['seconds'])} ({how})"


def _use(project: Project, row: Row) -> None:
    choose(project, str(row["backbone"]), setting_for(str(row["backbone"]), row["digest"]))


def _is_chosen(row: Row, settings: RunSettings) -> bool:
    backbone = str(row["backbone"])
    return backbone == settings.backbone and setting_for(backbone, row["digest"]) == settings.weights
