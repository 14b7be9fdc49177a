"""Charts, all in Plotly. The live ones take no selection and keep the user's zoom."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.ui import words
from transfer_core.i18n import _

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from transfer_core.evaluation.results import Results

_HEIGHT = 280
_MOST_POINTS = 500  # of a curve: more can't be told apart
_CELLS_WITH_NUMBERS = 15  # classes up to which a matrix has its counts written in
CONFIG = {"displayModeBar": False, "scrollZoom": False}


def curves(epochs: Sequence[dict[str, Any]], planned: int, key: str) -> None:
    """Draw loss and accuracy by epoch of those `planned`, on the pictures learned from and on those checked with."""
    if not epochs:
        return
    with st.grid("auto", min_column_width=320):
        with st.container(gap="xsmall"):
            st.markdown("**" + _("Right answers") + "**")
            st.caption(_("Should rise. If only the learning line rises, it is learning by heart."))
            _curve(epochs, planned, "accuracy", f"{key}-accuracy")
        with st.container(gap="xsmall"):
            st.markdown("**" + _("Loss") + "**")
            st.caption(_("How far off the answers are, unsure ones included. Should fall."))
            _curve(epochs, planned, "loss", f"{key}-loss")


def _curve(epochs: Sequence[dict[str, Any]], planned: int, what: str, key: str) -> None:
    import plotly.graph_objects as go

    figure = go.Figure()
    step = -(-len(epochs) // _MOST_POINTS)
    shown = list(enumerate(epochs, 1))[::-step][::-1]
    last = []
    for prefix, name in (("train", _("learning")), ("val", _("checking"))):
        values = [epoch.get(f"{prefix}_{what}") for _number, epoch in shown]
        if any(value is not None for value in values):
            x = [number for number, _epoch in shown]
            figure.add_scatter(x=x, y=values, mode="lines+markers" if len(x) < 60 else "lines", name=name, connectgaps=True)
            last.append(f"{name} {_number(values[-1], what)}")
    lay_out(figure, _HEIGHT)
    legend = {"orientation": "h", "y": 1.15, "x": 0}
    figure.update_layout(uirevision=key, xaxis_title=_("Epoch"), hovermode="x unified", legend=legend)
    figure.update_xaxes(range=[0.5, max(planned, len(epochs)) + 0.5], dtick=1 if planned <= 15 else None)
    if what == "accuracy":
        figure.update_yaxes(tickformat=".0%", rangemode="tozero", range=[0, 1.02])
    alt = _("After epoch {epoch}: {values}").format(epoch=len(epochs), values=", ".join(last))
    st.plotly_chart(figure, key=key, config=CONFIG, alt=alt)


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
    return words.percent(value) if what == "accuracy" else f"{value:.3f}"
