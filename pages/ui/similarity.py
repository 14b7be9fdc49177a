"""The map: pictures that are alike lie near each other. What is selected on it is shown beside it, to be looked at and changed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.ui import browse, charts, jobs_view, progress, watch, words
from pages.ui.changed import Stamp, table_stamp
from pages.ui.guard import guard, show_error
from pages.ui.words import plain
from transfer_core.data.project import Project
from transfer_core.data.samples import ClassCount
from transfer_core.i18n import _, ngettext
from transfer_core.runs import jobs

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from transfer_core.advice.map_file import PictureMap

KIND = "map"
FEWEST = 3
BY_ITSELF = 2000  # pictures up to which a map is begun when somebody looks for it
_HEIGHT = 620
_SYMBOLS = ("circle", "diamond", "square", "triangle-up", "cross")
_COLORS = 10  # of the theme
_SELECTED = "pictures selected on the map"
_CONFIG = {
    "displaylogo": False,
    "scrollZoom": True,
    "displayModeBar": True,
    "modeBarButtons": [["lasso2d", "select2d", "pan2d", "zoomIn2d", "zoomOut2d", "resetScale2d"]],
}


@dataclass(frozen=True)
class Dots:
    """The pictures of one class on the map: where they lie, float32 `[n, 2]`, their ids, and what is said of them."""

    label: str
    places: NDArray[np.float32]
    ids: NDArray[np.int64]
    hover: list[str]


@dataclass(frozen=True)
class Points:
    """What is drawn, by class; how many pictures that is, of how many (where there are too many to draw, they are `sampled`), how many
    have no place yet, and how far nearness can be believed."""

    classes: list[Dots]
    drawn: int
    total: int
    sampled: bool
    missing: int
    kept: float


def draw(project: Project, counts: Sequence[ClassCount]) -> None:
    """Draw the map, or the way to one."""
    total = sum(count.total for count in counts)
    if total < FEWEST:
        st.info(_("A map needs at least {count} pictures that can be read.").format(count=FEWEST), icon=":material/scatter_plot:")
        return
    job = jobs_view.newest(KIND, project.folder)
    points = _points(project.folder, table_stamp(project, project.cache / "map.safetensors"))
    if job is None and points is None and total <= BY_ITSELF:
        _begin(project)
        job = jobs_view.newest(KIND, project.folder)
    jobs_view.follow(KIND, project.folder, progress.sentence)
    if job is not None and not jobs_view.at_work(job) and (error := watch.state_of(job).error) is not None:
        show_error(error)
    if points is None:
        _offer(project, total, jobs_view.at_work(job))
        return
    st.markdown(
        _(
            "Each dot is a picture, in the colour of its class; pictures that look alike to the network lie near each other. "
            "A dot among those of another class may be wrongly labelled. Click a dot, or draw a line around several."
        )
    )
    chart, beside = st.columns([3, 2])
    with chart:
        _chart(points)
        _captions(project, points, jobs_view.at_work(job))
    with beside:
        _draw_selected(project, [count.label for count in counts])


def _offer(project: Project, total: int, at_work: bool) -> None:
    if at_work:
        st.caption(_("The map appears here as soon as it is drawn."))
        return
    st.markdown(_("A map puts pictures near each other that look alike: wrong labels and odd ones stand out."))
    st.button(
        _("Draw the map of {pictures}").format(pictures=words.pictures(total)),
        icon=":material/scatter_plot:",
        key="map-begin",
        on_click=_begin,
        args=(project,),
    )


def _begin(project: Project) -> None:
    with guard():
        jobs.begin(KIND, {"project": str(project.folder)}, project.folder)


def _captions(project: Project, points: Points, at_work: bool) -> None:
    told = [
        _(
            "Of a picture's ten most similar ones, about {count} are among its ten nearest here: "
            "near means alike, far need not mean unlike."
        ).format(count=round(10 * points.kept))
    ]
    if points.sampled:
        told.append(
            _("{drawn} of {total} pictures are drawn, every class in its share.").format(
                drawn=f"{points.drawn:,}", total=f"{points.total:,}"
            )
        )
    st.caption(" ".join(told))
    if points.missing and not at_work:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(
                ngettext(
                    "{count} picture is not on the map yet.", "{count} pictures are not on the map yet.", points.missing
                ).format(count=f"{points.missing:,}"),
                width="content",
            )
            st.button(_("Draw it again"), icon=":material/refresh:", key="map-again", on_click=_begin, args=(project,))


def _chart(points: Points) -> None:
    import plotly.graph_objects as go

    figure = go.Figure()
    for number, dots in enumerate(points.classes):
        figure.add_scattergl(
            x=dots.places[:, 0],
            y=dots.places[:, 1],
            mode="markers",
            name=charts.escape(dots.label),
            customdata=dots.ids,
            # Past the colours there are, the shape tells classes apart.
            marker={"size": _size(points.drawn), "symbol": _SYMBOLS[number // _COLORS % len(_SYMBOLS)]},
            hovertext=dots.hover,
            hoverinfo="text",
        )
    charts.lay_out(figure, _HEIGHT)
    figure.update_layout(
        uirevision="map", dragmode="lasso", hovermode="closest", legend={"orientation": "h", "y": -0.02, "yanchor": "top", "x": 0}
    )
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False, scaleanchor="x")
    st.plotly_chart(
        figure,
        key="map-chart",
        config=_CONFIG,
        on_select=_keep_selection,
        selection_mode=("points", "box", "lasso"),
        alt=_("Map of {pictures} in {classes}").format(
            pictures=words.pictures(points.drawn), classes=words.classes(len(points.classes))
        ),
    )


def _size(count: int) -> int:
    return 9 if count <= 500 else 7 if count <= 2000 else 5


def _keep_selection() -> None:
    """What is selected stays selected when the chart is drawn anew in other colours, after an edit."""
    st.session_state[_SELECTED] = selected_ids(st.session_state.get("map-chart"))
    st.session_state.pop("map-page", None)


def selected_ids(told: Any) -> tuple[int, ...]:
    """The ids in what a chart says is selected; what is none is passed over."""
    selection = told.get("selection") if isinstance(told, Mapping) else None
    points = selection.get("points") if isinstance(selection, Mapping) else None
    found = []
    for point in points if isinstance(points, list | tuple) else ():
        data = point.get("customdata") if isinstance(point, Mapping) else None
        each = data[0] if isinstance(data, list | tuple) and data else data
        if isinstance(each, int) and not isinstance(each, bool):
            found.append(each)
    return tuple(dict.fromkeys(found))


def _draw_selected(project: Project, labels: Sequence[str]) -> None:
    ids = st.session_state.get(_SELECTED, ())
    if not ids:
        st.caption(_("What you select on the map is shown here, to be relabelled or excluded."))
        return
    st.markdown("**" + plain(_("Selected: {pictures}").format(pictures=words.pictures(len(ids)))) + "**")
    browse.draw_grid(project, browse.Wanted(state=None, ids=ids), labels, "map")


@lru_cache(4)
def _points(folder: Path, changed: Stamp) -> Points | None:
    """What is drawn of the map of the project in `folder`, made anew when its table or map changed; None where there is no map."""
    drawn = _map(folder, changed[-1:])
    if drawn is None:
        return None
    table = Project.open(folder).table
    rows = {content: row for row, content in enumerate(drawn.contents[: drawn.laid_out])}
    used = table.of_contents(list(rows))
    return Points(
        classes=_by_class(drawn, rows, used),
        drawn=len(used),
        total=len(drawn.contents),
        sampled=drawn.laid_out < len(drawn.contents),
        missing=_missing(folder, changed[-1:], table.extent()),
        kept=drawn.kept,
    )


def _by_class(drawn: PictureMap, rows: Mapping[str, int], used: Sequence[tuple[int, str, str, str]]) -> list[Dots]:
    import numpy as np

    members = defaultdict(list)
    for id, content, label, name in sorted(used):
        members[label].append((id, rows[content], name))
    found = []
    for label in sorted(members):
        named = f"<br><b>{charts.escape(label)}</b>"
        found.append(
            Dots(
                label,
                drawn.places[[row for _id, row, _name in members[label]]],
                np.array([id for id, _row, _name in members[label]], np.int64),
                [charts.escape(name, 60) + named for _id, _row, name in members[label]],
            )
        )
    return found


@lru_cache(2)
def _map(folder: Path, changed: Stamp) -> PictureMap | None:
    from transfer_core.advice.map_file import read_map  # here: it loads NumPy, which other views do without

    return read_map(Project.open(folder))


@lru_cache(4)
def _missing(folder: Path, changed: Stamp, extent: tuple[int, int]) -> int:
    """How many pictures that can be used are not on the map: no edit changes that."""
    drawn = _map(folder, changed)
    there = set(drawn.contents) if drawn else set()
    return sum(content not in there for _id, content, _label in Project.open(folder).table.usable())
