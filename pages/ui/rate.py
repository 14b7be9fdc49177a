"""The search for a learning rate, beside its field: the button, how far it is, and the curve with what it suggests."""

from __future__ import annotations

import math
from typing import Any

import streamlit as st

from pages.ui import charts, drafts, jobs_view, progress, watch
from pages.ui.changed import fingerprint
from pages.ui.guard import guard, show_error
from pages.ui.words import plain
from transfer_core.data.project import Project
from transfer_core.i18n import _
from transfer_core.runs import jobs
from transfer_core.runs.jobs import Job
from transfer_core.runs.state import RunState
from transfer_core.training.rate_curve import RateCurve, looked_for
from transfer_core.training.settings import RunSettings

KIND = "rate"
_HEIGHT = 300
_ROOM = 0.5  # above the loss at the start, of how far it falls: where it goes off, it goes off the chart


def offer(project: Project, settings: RunSettings, able: bool) -> None:
    """The button that begins a search for these settings; while one goes on, its progress is drawn by `draw`."""
    if not jobs_view.at_work(jobs_view.newest(KIND, project.folder)):
        st.button(
            _("Find a learning rate"),
            icon=":material/troubleshoot:",
            key="rate-begin",
            disabled=not able,
            on_click=_begin,
            args=(project, settings),
            help=_(
                "Trains a model that is thrown away, for a minute or so, in ever larger steps, and looks where it learns fastest."
            ),
        )


def draw(project: Project, settings: RunSettings) -> None:
    """Draw the search that goes on, or what the last one for these settings found. To be called always."""
    jobs_view.follow(KIND, project.folder, _sentence)
    asked = [job for job in jobs.list_jobs(project.folder) if job.kind == KIND]
    if not asked or jobs_view.at_work(asked[0]):
        return
    wanted = looked_for(settings)
    theirs = [job for job in asked if job.arguments.get("settings") == wanted]
    if theirs and (error := watch.state_of(theirs[0]).error) is not None:
        show_error(error)
    elif (curve := _curve_for(project, theirs)) is not None:
        _result(project, settings, curve)
    elif any(watch.state_of(job).status == "finished" for job in asked):
        st.caption(_("Settings or pictures have changed since a learning rate was last looked for: that curve is not theirs."))


def _begin(project: Project, settings: RunSettings) -> None:
    with guard():
        jobs.begin(KIND, {"project": str(project.folder), "settings": looked_for(settings)}, project.folder)


def _sentence(state: RunState) -> str:
    if state.history.phase != "train":
        return progress.sentence(state)
    return _("Trying learning rates") + progress.time_left(state.history.progress or {})


def _curve_for(project: Project, theirs: list[Job]) -> RateCurve | None:
    """The newest curve for the settings and the pictures as they are now."""
    for job in theirs:
        report = job.report() or {}
        if watch.state_of(job).status == "finished" and report.get("fingerprint") == fingerprint(project):
            return RateCurve.from_data(report)
    return None


def _result(project: Project, settings: RunSettings, curve: RateCurve) -> None:
    st.markdown(f":material/lightbulb: **{plain(curve.verdict)}**")
    if curve.rates:
        _chart(curve)
        st.caption(
            _(
                "How to read it: the steps grow from left to right. Where the line falls, the network learns; where it turns and shoots "
                "up, the steps are too large. A good rate lies where it falls most steeply, well before the turn."
            )
        )
    with st.container(horizontal=True):
        for rate in dict.fromkeys(rate for rate in (curve.suggestion, curve.valley) if rate is not None):
            _taking(project, settings, rate)


def _taking(project: Project, settings: RunSettings, rate: float) -> None:
    if math.isclose(rate, settings.learning_rate):
        st.markdown(":green[:material/check_circle: " + _("{rate} is set").format(rate=f"{rate:g}") + "]", width="content")
    else:
        st.button(
            _("Take {rate}").format(rate=f"{rate:g}"),
            icon=":material/check:",
            key=f"rate-take-{rate:g}",
            on_click=_take,
            args=(project, rate),
        )


def _take(project: Project, rate: float) -> None:
    with guard():
        drafts.change(project, learning_rate=rate)


def _chart(curve: RateCurve) -> None:
    import plotly.graph_objects as go

    figure = go.Figure()
    figure.add_scatter(
        x=curve.rates, y=curve.losses, mode="lines", showlegend=False, name=_("loss"), hovertemplate="%{x:.2g}: %{y:.3f}"
    )
    marked = {curve.valley: (_("careful"), "diamond")} | {curve.suggestion: (_("steepest"), "circle")}
    for rate, (name, symbol) in marked.items():
        if rate is not None:
            figure.add_scatter(
                x=[rate],
                y=[_loss_at(curve, rate)],
                mode="markers",
                name=f"{name}: {rate:g}",
                marker={"size": 12, "symbol": symbol},
            )
    charts.lay_out(figure, _HEIGHT)
    figure.update_layout(legend={"orientation": "h", "y": 1.15, "x": 0}, uirevision=str(curve.suggestion))
    figure.update_xaxes(type="log", title=_("Learning rate"), exponentformat="power", dtick=2)
    figure.update_yaxes(title=_("Loss"), range=_shown_losses(curve))
    alt = _("The loss at learning rates from {low} to {high}; the least is at {rate}").format(
        low=f"{curve.rates[0]:.2g}", high=f"{curve.rates[-1]:.2g}", rate=f"{_best(curve):.2g}"
    )
    st.plotly_chart(figure, key="rate-chart", config=charts.CONFIG, alt=alt)


def _loss_at(curve: RateCurve, rate: float) -> float:
    """The loss at the rate that was tried nearest to this one."""
    place = min(range(len(curve.rates)), key=lambda number: abs(math.log(curve.rates[number] / rate)))
    return curve.losses[place]


def _best(curve: RateCurve) -> float:
    return curve.rates[curve.losses.index(min(curve.losses))]


def _shown_losses(curve: RateCurve) -> Any:
    """The range of the chart: from the least to somewhat above the start; None for all, where nothing fell."""
    first, least = curve.losses[0], min(curve.losses)
    if curve.suggestion is None or first <= least:
        return None
    return [least - 0.1 * (first - least), first + _ROOM * (first - least)]
