"""Accuracy against time on this computer, as a chart: the front is a line, and the choice is seen at a glance."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import streamlit as st

from pages.ui import charts, words
from pages.ui.facts import time_words
from pages.ui.tables import BAR
from transfer_core.advice.listing import Listed, front
from transfer_core.i18n import _

_HEIGHT = 420
_NAMED = 5  # points of the front that bear their names: more would lie on each other on a phone
_TICKS = (1, 10, 60, 600, 3600, 36_000, 360_000)  # seconds
_ROOM = 0.5  # decades of time
_BESIDE = "#8a8f98"  # what is no more than context, on light and dark


def draw(rows: Sequence[Listed]) -> None:
    """Draw the chart, folded away; nothing where no accuracy is known."""
    known = [row for row in rows if row.accuracy is not None]
    if not known:
        return
    with st.expander(
        _("Accuracy against time, in a picture"), icon=":material/scatter_plot:", on_change="rerun", key="front"
    ) as part:
        if part.open:
            st.caption(
                _(
                    "Each dot is a network: the higher, the more accurate; the further left, the quicker on this computer. "
                    "The line joins those that no other beats in both. Hover over a dot for its name."
                )
            )
            _chart(known)


def _chart(rows: list[Listed]) -> None:
    import plotly.graph_objects as go

    best = front(rows)
    figure = go.Figure()
    figure.add_scatter(
        x=[row.seconds for row in best],
        y=[row.accuracy for row in best],
        mode="lines",
        line={"color": BAR, "width": 2, "shape": "hv"},
        name=_("best for its time"),
        hoverinfo="skip",
    )
    for name, symbol, size, color, chosen in _groups(rows):
        if chosen:
            figure.add_scatter(
                x=[row.seconds for row in chosen],
                y=[row.accuracy for row in chosen],
                mode="markers",
                name=name,
                marker={"symbol": symbol, "size": size, "color": color, "line": {"width": 1.5, "color": color}},
                hovertext=[_hover(row) for row in chosen],
                hoverinfo="text",
            )
    for number, row in enumerate(_spread(best)):
        figure.add_annotation(
            x=math.log10(row.seconds),
            y=row.accuracy,
            text=charts.escape(row.info.architecture),
            showarrow=False,
            # The first one has the chart's edge on its left, and nothing on its right.
            xanchor="right" if number else "left",
            yanchor="bottom" if number else "top",
            font={"size": 12},
        )
    charts.lay_out(figure, _HEIGHT)
    rows = sorted(rows, key=lambda row: row.seconds)
    ticks = _ticks(rows[0].seconds, rows[-1].seconds)
    figure.update_xaxes(
        type="log",
        tickvals=ticks,
        ticktext=[words.short_duration(tick) for tick in ticks],
        tickangle=0,
        title=_("Time for your pictures"),
        # Room on the left for the names, most of which end at their points.
        range=[math.log10(rows[0].seconds) - _ROOM, math.log10(rows[-1].seconds) + 0.1],
    )
    figure.update_yaxes(title=_("Right on ImageNet, %"))
    figure.update_layout(uirevision="front", legend={"orientation": "h", "y": 1.02, "x": 0, "yanchor": "bottom"})
    st.plotly_chart(figure, key="front-chart", config=charts.CONFIG, alt=_alt(best))


def _groups(rows: Iterable[Listed]) -> list[tuple[str, str, int, str, list[Listed]]]:
    """Name, shape, size, colour and members of what is drawn alike: filled is measured, a diamond is here."""
    rows = list(rows)
    free = [row for row in rows if not row.non_commercial]
    return [
        (_("not for commercial use"), "x-thin", 7, _BESIDE, [row for row in rows if row.non_commercial]),
        (_("estimated"), "circle-open", 8, BAR, [row for row in free if not row.here and not row.measured]),
        (_("measured"), "circle", 9, BAR, [row for row in free if not row.here and row.measured]),
        (_("weights here, estimated"), "diamond-open", 13, BAR, [row for row in free if row.here and not row.measured]),
        (_("weights here, measured"), "diamond", 13, BAR, [row for row in free if row.here and row.measured]),
    ]


def _hover(row: Listed) -> str:
    name = charts.escape(row.info.title, 60)
    return f"<b>{name}</b><br>{row.accuracy:.1f} %<br>{time_words(row)}<br>{words.size(row.file_size)}"


def _spread(best: Sequence[Listed]) -> list[Listed]:
    """A few of the front, about evenly over its length, its ends among them."""
    if len(best) <= _NAMED:
        return list(best)
    return [best[round(place * (len(best) - 1) / (_NAMED - 1))] for place in range(_NAMED)]


def _ticks(low: float, high: float) -> list[float]:
    return [tick for tick in _TICKS if low / 3 <= tick <= high * 3]


def _alt(best: Sequence[Listed]) -> str:
    if not best:
        return _("Accuracy against time; none of these may be recommended")
    first, last = best[0], best[-1]
    told: dict[str, Any] = {"quick": first.info.title, "low": f"{first.accuracy:.0f}"}
    told |= {"good": last.info.title, "high": f"{last.accuracy:.0f}"}
    return _("From {quick}, the quickest with {low} %, to {good}, the most accurate with {high} %").format(**told)
