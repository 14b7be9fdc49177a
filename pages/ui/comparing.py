"""Trainings side by side: their curves laid over each other, and what is different in their settings."""

from __future__ import annotations

import streamlit as st

from pages.ui import charts, scores, setting_words, tables, watch, words
from pages.ui.guard import fragment
from transfer_core.errors import TransferError
from transfer_core.i18n import _
from transfer_core.runs.compare import differences
from transfer_core.runs.folder import Run

MOST = len(charts.COLOURS)
_OFFERED = 100
_TICK = 2.0  # seconds


def draw(runs: list[Run]) -> None:
    """Let two to four of the trainings be chosen, and draw them side by side."""
    if len(runs) < 2:
        return
    offered = {run.id: run for run in runs[:_OFFERED]}
    st.header(_("Compare"), anchor=False)
    chosen = st.multiselect(
        _("Trainings to lay over each other, two to {most}").format(most=MOST),
        list(offered),
        format_func=lambda identity: _title(offered[identity]),
        max_selections=MOST,
        placeholder=_("Choose trainings"),
        key="compare",
    )
    together = [offered[identity] for identity in chosen if identity in offered]
    moving = any(watch.state_of(run).status in watch.ACTIVE for run in together)
    fragment(_TICK if moving else None)(_side_by_side)(together)


def _side_by_side(runs: list[Run]) -> None:
    if len(runs) < 2:
        return
    names = _names(runs)
    lines = [
        charts.Line(name, colour, watch.state_of(run).history.epochs)
        for name, colour, run in zip(names, charts.COLOURS, runs, strict=False)
    ]
    charts.overlaid(lines, "-".join(run.id for run in runs))
    without = [name for name, line in zip(names, lines, strict=True) if not line.epochs]
    if without:
        st.caption(_("Without curves, because no epoch is through: {names}").format(names=words.plain(", ".join(without))))
    _table(runs, names)


def _table(runs: list[Run], names: list[str]) -> None:
    st.markdown("**" + _("What is different") + "**")
    settings = [run.settings for run in runs]
    rows = [
        [
            setting_words.label(row.name),
            *("–" if value is None else setting_words.value_text(row.name, value) for value in row.values),
        ]
        for row in differences(settings)
    ]
    if not rows:
        st.caption(_("Their settings are alike."))
    rows.append([_("Right answers"), *(scores.short(run) or "–" for run in runs)])
    tables.draw([_("Setting"), *names], rows, left=True)


def _title(run: Run) -> str:
    try:
        plan = setting_words.choice("plan", run.settings.plan)
    except TransferError:  # its settings can't be read (any more)
        plan = "?"
    return words.one_line(f"{run.name} · {plan} · {words.moment(run.created)}")


def _names(runs: list[Run]) -> list[str]:
    """A name for each, told apart by a number where two are called alike."""
    names = [run.name for run in runs]
    return [
        f"{name} ({number})" if names.count(name) > 1 else name
        for number, name in enumerate((words.one_line(name) for name in names), 1)
    ]
