"""The pictures of a project: found by class, purpose, state and name, a page at a time, and changed where they lie."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import streamlit as st

from pages.ui import close_look, editing, picture_grid, pictures, words
from pages.ui.guard import guard
from pages.ui.picture_grid import Action, Picture
from pages.ui.words import one_line, plain
from transfer_core.data.project import Project
from transfer_core.data.samples import ClassCount, Sample, State
from transfer_core.i18n import _

PAGE = 60
_KEYS = ("browse-label", "browse-split", "browse-state", "browse-search", "browse-page")
_SET = "pictures that are to be shown"


@dataclass(frozen=True)
class Wanted:
    """Which pictures are looked at; None and "" mean any. `ids` are those of a finding, or selected on the map."""

    label: str | None = None
    split: str | None = None
    state: State | None = "in"
    search: str = ""
    ids: tuple[int, ...] | None = None

    def samples(self, project: Project, offset: int = 0, limit: int | None = None) -> list[Sample]:
        """The samples of this kind, in a fixed order."""
        return project.table.samples(self.label, self.split, self.state, self.search, self.ids, offset, limit)

    def count(self, project: Project) -> int:
        """How many there are."""
        return project.table.count(self.label, self.split, self.state, self.search, self.ids)


def show(ids: Sequence[int], title: str) -> None:
    """Have the page of pictures show these alone, under this title: to be called in a callback, before the page is drawn."""
    for key in _KEYS:
        st.session_state.pop(key, None)
    st.session_state["browse-state"] = "all"
    with guard():  # for the page's language
        st.toast(_("They are shown further down, among the pictures."), icon=":material/arrow_downward:")
    st.session_state[_SET] = (tuple(ids), title)
    st.session_state["view"] = "pictures"


def show_class(label: str) -> None:
    """Have the page of pictures show this class."""
    for key in (*_KEYS, _SET):
        st.session_state.pop(key, None)
    st.session_state["browse-label"] = label
    st.session_state["view"] = "pictures"


def draw(project: Project, counts: Sequence[ClassCount]) -> None:
    """Draw the filters, and the pictures that pass them."""
    wanted = _filters(counts)
    chosen = st.session_state.get(_SET)
    if chosen is not None:
        ids, title = chosen
        wanted = replace(wanted, ids=ids)
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f":material/filter_alt: **{plain(title)}**", width="content")
            st.button(_("Show all pictures"), icon=":material/close:", key="browse-all", on_click=_show_all)
    draw_grid(project, wanted, [count.label for count in counts], "browse")


def _show_all() -> None:
    st.session_state.pop(_SET, None)


def _filters(counts: Sequence[ClassCount]) -> Wanted:
    labels = [count.label for count in counts]
    if st.session_state.get("browse-label") not in labels:
        st.session_state.pop("browse-label", None)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        label = st.selectbox(
            _("Class"), labels, index=None, format_func=one_line, placeholder=_("all classes"), key="browse-label", width=200
        )
        splits = words.purposes()
        split = st.selectbox(
            _("Purpose"),
            list(splits),
            index=None,
            format_func=splits.__getitem__,
            placeholder=_("all"),
            key="browse-split",
            width=150,
        )
        states = words.states() | {"all": _("all")}
        state = st.selectbox(_("State"), list(states), format_func=states.__getitem__, key="browse-state", width=150)
        search = st.text_input(_("Name"), key="browse-search", placeholder=_("part of a name"), type="search", width=200)
    return Wanted(label, split, None if state == "all" else cast(State, state), (search or "").strip())


def draw_grid(project: Project, wanted: Wanted, labels: Sequence[str], key: str) -> None:
    """Draw the pictures that are `wanted`, a page of them, to be selected and changed."""
    total = wanted.count(project)
    if not total:
        st.info(_("No picture is like that. Choose fewer filters."), icon=":material/search_off:")
        return
    pages = -(-total // PAGE)
    place = f"{key}-page"
    if st.session_state.get(place, 1) > pages:
        st.session_state[place] = pages
    page = st.pagination(pages, key=place) if pages > 1 else 1
    shown = wanted.samples(project, (page - 1) * PAGE, PAGE)
    picture_grid.draw(
        [_picture(sample, image, wanted) for sample, image in zip(shown, _thumbnails(project, shown), strict=True)],
        labels,
        total,
        _("Pictures, page {page} of {pages}").format(page=page, pages=pages),
        f"{key}-grid",
        _acting(project, wanted, place, pages),
    )
    close_look.draw_asked_for(project, labels)


def _thumbnails(project: Project, shown: Sequence[Sample]) -> list[Any]:
    # What can't be used has no picture to show, and would be tried anew each time.
    made = iter(pictures.thumbnails(project.cache, [(each.path, each.content) for each in shown if each.state != "out"]))
    return [next(made) if each.state != "out" else None for each in shown]


def _acting(project: Project, wanted: Wanted, place: str, pages: int) -> Callable[[Action], None]:
    def act(action: Action) -> None:
        if action.kind == "page":
            turned = st.session_state.get(place, 1) + (-1 if action.to.startswith("-") else 1)
            st.session_state[place] = min(max(turned, 1), pages)
        elif action.kind == "open":
            close_look.ask_for(project, action.ids)
        else:
            everything = [sample.id for sample in wanted.samples(project)] if action.everything else []
            editing.carry_out(project, action, everything)

    return act


def _picture(sample: Sample, image: Any, wanted: Wanted) -> Picture:
    mark = "" if sample.state == "in" else words.states()[sample.state]
    if not mark and sample.given_label != sample.label:
        mark = _("was {name}").format(name=sample.given_label)
    small = sample.path.name if wanted.label or sample.state == "out" else words.purposes().get(sample.split or "", "")
    if sample.state == "out" and sample.reason:
        small = f"{small}: {sample.reason}"
    return Picture(sample.id, image, sample.relative, sample.label or "", small, sample.state, mark)
