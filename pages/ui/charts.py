"""Charts, all in Plotly. The live ones take no selection and keep the user's zoom."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.ui import words
from transfer_core.i18n import _

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from transfer_core.evaluation.results import Results

_HEIGHT = 280
_NAME_HEIGHT = 20  # pixels: in a narrow chart of several trainings, each name takes a line of its own
_MOST_POINTS = 500  # of a curve: more can't be told apart
_CELLS_WITH_NUMBERS = 15  # classes up to which a matrix has its counts written in
COLOURS = ("#2a9d8a", "#e07a3f", "#6a8be0", "#b565c9")  # readable on light and dark, and told apart by most eyes
CONFIG = {"displayModeBar": False, "scrollZoom": False}


@dataclass(frozen=True)
class Line:
    """A training in a chart of several."""

    name: str
    colour: str
    epochs: Sequence[dict[str, Any]]


def curves(epochs: Sequence[dict[str, Any]], planned: int, key: str) -> None:
    """Draw loss and accuracy by epoch, on the pictures learned from and on those checked with, and the rate.

    There is room for those that are `planned`; 0: not known.
    """
    if not epochs:
        return
    with st.grid("auto", min_column_width=240):
        with st.container(gap="xsmall"):
            st.markdown("**" + _("Right answers") + "**")
            st.caption(_("Should rise. If only the learning line rises, it is learning by heart."))
            _curve(epochs, planned, "accuracy", f"{key}-accuracy")
        with st.container(gap="xsmall"):
            st.markdown("**" + _("Loss") + "**")
            st.caption(_("How far off the answers are, unsure ones included. Should fall."))
            _curve(epochs, planned, "loss", f"{key}-loss")
        with st.container(gap="xsmall"):
            st.markdown("**" + _("Learning rate") + "**")
            st.caption(_("How large the steps are. Rises at first, then falls to nothing."))
            _curve(epochs, planned, "rate", f"{key}-rate")


def _curve(epochs: Sequence[dict[str, Any]], planned: int, what: str, key: str) -> None:
    import plotly.graph_objects as go

    figure = go.Figure()
    step = -(-len(epochs) // _MOST_POINTS)
    shown = list(enumerate(epochs, 1))[::-step][::-1]
    last = []
    for field, name in _fields(what).items():
        x, y = _by_training(shown, field)
        if y:
            figure.add_scatter(x=x, y=y, mode="lines+markers" if len(x) < 60 else "lines", name=name)
            last.append(f"{name} {_number(y[-1], what)}")
    lay_out(figure, _HEIGHT)
    for place in _beginnings(epochs):
        figure.add_vline(place - 0.5, line={"color": "rgba(128, 128, 128, 0.5)", "dash": "dot", "width": 1})
    legend = {"orientation": "h", "y": 1.15, "x": 0}
    figure.update_layout(uirevision=key, xaxis_title=_("Epoch"), hovermode="x unified", legend=legend)
    end = max(planned, len(epochs))
    figure.update_xaxes(range=[0.5, end + 0.5], dtick=1 if end <= 15 else None)
    _scale(figure, what)
    alt = _("After epoch {epoch}: {values}").format(epoch=len(epochs), values=", ".join(last))
    st.plotly_chart(figure, key=key, config=CONFIG, alt=alt)


def overlaid(lines: Sequence[Line], key: str) -> None:
    """Draw the curves of several trainings over each other: a colour for each, dots for the pictures learned from."""
    if not any(line.epochs for line in lines):
        return
    titles = {"accuracy": _("Right answers"), "loss": _("Loss"), "rate": _("Learning rate")}
    st.caption(_("Whole lines: on pictures for checking. Dotted lines: on those learned from."))
    with st.grid("auto", min_column_width=240):
        for what, title in titles.items():
            with st.container(gap="xsmall"):
                st.markdown(f"**{title}**")
                _overlay(lines, what, f"overlaid-{key}-{what}")


def _overlay(lines: Sequence[Line], what: str, key: str) -> None:
    import plotly.graph_objects as go

    figure, last = go.Figure(), []
    for line in lines:
        step = max(1, -(-len(line.epochs) // _MOST_POINTS))
        shown = list(enumerate(line.epochs, 1))[::-step][::-1]
        # Those for checking first: they are what the legend shows, where there are any.
        for field in sorted(_fields(what), reverse=True):
            x, y = _by_training(shown, field)
            if not y:
                continue
            named = any(trace.legendgroup == line.name for trace in figure.data)
            learning = field.startswith("train")
            figure.add_scatter(
                x=x,
                y=y,
                mode="lines+markers" if len(shown) == 1 else "lines",
                name=escape(line.name),
                legendgroup=line.name,
                showlegend=not named,
                line={"color": line.colour, "width": 1.5 if learning else 2.5, "dash": "dot" if learning else "solid"},
            )
            if not named:
                last.append(f"{line.name} {_number(y[-1], what)}")
    lay_out(figure, _HEIGHT + _NAME_HEIGHT * len(lines))
    legend = {"orientation": "h", "y": 1.02, "x": 0, "yanchor": "bottom"}
    figure.update_layout(uirevision=key, xaxis_title=_("Epoch"), legend=legend)
    _scale(figure, what)
    st.plotly_chart(figure, key=key, config=CONFIG, alt=", ".join(last) or "–")


def _by_training(shown: Sequence[tuple[int, dict[str, Any]]], field: str) -> tuple[list[float | None], list[float | None]]:
    """The points of a curve, with a gap where another training begins; none where no epoch has the field."""
    x: list[float | None] = []
    y: list[float | None] = []
    training = None
    for number, epoch in shown:
        if epoch.get(field) is None:
            continue
        before = epoch.get("epochs_before", 0)
        if x and before != training:
            x.append(None)
            y.append(None)
        training = before
        x.append(number)
        y.append(epoch[field])
    return x, y


def _beginnings(epochs: Sequence[dict[str, Any]]) -> list[int]:
    """The places, from 1, of the epochs with which another training of the run begins."""
    before = [epoch.get("epochs_before", 0) for epoch in epochs]
    return [place for place, pair in enumerate(pairwise(before), 2) if pair[0] != pair[1]]


def _fields(what: str) -> dict[str, str]:
    """The fields of an epoch that are curves of this chart, and what they are called."""
    if what == "rate":
        return {"learning_rate": _("rate")}
    return {f"train_{what}": _("learning"), f"val_{what}": _("checking")}


def _scale(figure: go.Figure, what: str) -> None:
    if what == "accuracy":
        figure.update_yaxes(tickformat=".0%", rangemode="tozero", range=[0, 1.02])
    elif what == "rate":
        figure.update_yaxes(rangemode="tozero", tickformat="~g")


def confusion(results: Results, key: str) -> None:
    """Draw what was taken for what: rows are the true classes, columns the answers."""
    import plotly.graph_objects as go

    labels = [escape(label) for label in results.labels]
    matrix = results.confusion
    shares = [[count / max(1, sum(row)) for count in row] for row in matrix]
    numbers = len(labels) <= _CELLS_WITH_NUMBERS
    places = list(range(len(labels)))
    figure = go.Figure(
        go.Heatmap(
            z=shares,
            x=places,
            y=places,
            text=[[count or "" for count in row] for row in matrix] if numbers else None,
            texttemplate="%{text}" if numbers else None,
            hovertext=[
                [_hover(true, said, count) for said, count in zip(labels, row, strict=True)]
                for true, row in zip(labels, matrix, strict=True)
            ],
            textfont={"size": 14},
            hoverinfo="text",
            zmin=0,
            zmax=1,
            showscale=False,
            xgap=1,
            ygap=1,
        )
    )
    lay_out(figure, min(900, 140 + max(160, 34 * len(labels))))
    figure.update_xaxes(title=_("Answered"), tickvals=places, ticktext=labels, tickangle=-40, side="bottom", automargin=True)
    figure.update_yaxes(title=_("Really"), tickvals=places, ticktext=labels, autorange="reversed", automargin=True)
    right = sum(matrix[place][place] for place in places)
    st.plotly_chart(
        figure,
        key=key,
        config=CONFIG,
        alt=_("{right} of {count} pictures lie on the diagonal: they were answered rightly").format(
            right=right, count=sum(map(sum, matrix))
        ),
    )


def _hover(true: str, said: str, count: int) -> str:
    return _("Really {true}, answered {answer}: {count}").format(true=true, answer=said, count=count)


def escape(label: str, most: int = 24) -> str:
    """A name for a place in a chart: Plotly reads some HTML."""
    text = words.one_line(label)
    return html.escape(text if len(text) <= most else text[: most - 1] + "…", quote=False)


def lay_out(figure: go.Figure, height: int) -> None:
    """Give a chart its height, without the margins that a title would need."""
    figure.update_layout(height=height, margin={"l": 8, "r": 8, "t": 8, "b": 8})


def _number(value: Any, what: str) -> str:
    if value is None:
        return "–"
    return words.percent(value) if what == "accuracy" else f"{value:.3g}" if what == "rate" else f"{value:.3f}"
