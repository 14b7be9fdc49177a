"""The backbones to choose from, as cards: how good, how long on this computer, how large, and whether their weights are here."""

from __future__ import annotations

from typing import get_args

import psutil
import streamlit as st

from pages.ui import downloads, drafts, frontier, timm_offer, words
from pages.ui.facts import accuracy_words, is_chosen, time_words
from pages.ui.guard import fragment, guard
from pages.ui.shortlist import Kind, Need, Order, Wanted, shortlist
from pages.ui.words import plain
from transfer_core.advice.listing import Listed, listing
from transfer_core.backbones.catalogue import timm_file
from transfer_core.data.project import Project
from transfer_core.i18n import _
from transfer_core.training.settings import RunSettings

_PAGE = 6  # cards: more take longer to draw than a filter should
_MINUTES = (1, 5, 15, 60)


def rows_of(project: Project, settings: RunSettings) -> list[Listed]:
    """All there is to start from, with its time for the project's pictures."""
    return listing(project.table.count(), settings.threads)


def draw_chosen(rows: list[Listed], settings: RunSettings) -> None:
    """Say which backbone the next training starts from."""
    row = next((row for row in rows if is_chosen(row, settings)), None)
    # A file that was not taken in yet: the network's time and size are known from its published weights.
    network = row or next((row for row in rows if row.info.name == settings.backbone), None)
    with st.container(border=True, gap="xsmall"):
        st.caption(_("Chosen now"))
        if network is None:
            st.markdown(f"**{plain(settings.backbone)}**")
        elif row is not None:
            _describe(row)
        else:
            st.markdown(f"**{plain(network.info.title)}**")
            st.markdown(" · ".join([_("your own weights"), time_words(network)]))
        if settings.weights and row is None:
            st.caption(_("With the weights in this file of yours:") + " " + plain(settings.weights))


def draw_catalogue(project: Project, rows: list[Listed], settings: RunSettings) -> None:
    """Draw what there is to choose from, filtered and sorted, each with a button to choose it.

    A part of the page for itself, so that a filter does not draw the rest anew.
    """
    fragment()(_catalogue)(project, rows, settings)


def _catalogue(project: Project, rows: list[Listed], settings: RunSettings) -> None:
    st.header(_("Choose yourself"), anchor=False)
    kind = _kind(rows)
    if kind == "timm":
        timm_offer.draw()
    wanted = Wanted(kind) if kind == "suggested" else _wanted(kind)
    shown = shortlist(rows, wanted)
    with st.expander(_("What the numbers mean"), icon=":material/help:"):
        st.markdown(_explanation())
    frontier.draw(shown if kind != "suggested" else rows)
    shown = [row for row in shown if not is_chosen(row, settings)]
    if kind != "suggested" and len(shown) > _PAGE:
        st.caption(_("{count} of them").format(count=len(shown)))
        page = st.pagination(-(-len(shown) // _PAGE), key=f"page-{hash(wanted)}")
        shown = shown[(page - 1) * _PAGE : page * _PAGE]
    for row in shown:
        _card(project, row)
    if not shown:
        st.caption(_nothing(wanted))


def _kind(rows: list[Listed]) -> Kind:
    names: dict[Kind, str] = {
        "suggested": _("Suggested"),
        "mine": _("My own"),
        "all": _("All {count}").format(count=len(rows)),
        "timm": _("From timm"),
    }
    if not any(row.origin in ("file", "trained") for row in rows):
        del names["mine"]
    if timm_file() is None:
        del names["timm"]
    chosen: Kind | None = st.segmented_control(
        _("Which to show"),
        list(names),
        default="suggested",
        required=True,
        format_func=names.__getitem__,
        label_visibility="collapsed",
        key="which",
    )
    return chosen or "suggested"


def _wanted(kind: Kind) -> Wanted:
    """The filters, as they are set."""
    needs: dict[Need, str] = {
        "any": _("any"),
        "frozen": _("enough is free for the quick plan"),
        "training": _("enough is free to train all of it"),
    }
    orders: dict[Order, str] = {
        "sensible": _("sensible first"),
        "accuracy": _("most accurate first"),
        "time": _("quickest first"),
        "size": _("smallest first"),
    }
    with st.grid("auto", min_column_width=170, gap="small"):
        text = st.text_input(_("Search by name"), icon=":material/search:", key="search")
        minutes = st.selectbox(
            _("Time for your pictures"),
            [0, *_MINUTES],
            format_func=lambda value: _("at most {count} min").format(count=value) if value else _("any"),
            key="minutes",
        )
        need = st.selectbox(_("Memory"), list(get_args(Need)), format_func=needs.__getitem__, key="need")
        order = st.selectbox(_("Order"), list(get_args(Order)), format_func=orders.__getitem__, key="order")
    here = st.toggle(_("Only those whose weights are here"), key="only-here")
    # In steps: as a part of what is wanted, a number that never stands still would turn the pages back at every look.
    memory = psutil.virtual_memory().available // 10**8 * 1e8 if need != "any" else 0.0
    return Wanted(kind, text, minutes * 60 if minutes else None, need, memory, here, order)


def _nothing(wanted: Wanted) -> str:
    if wanted.kind == "timm" and not any([wanted.words, wanted.seconds, wanted.here, wanted.need != "any"]):
        return _("timm's networks are not added yet.")
    return _("None but the chosen one.") if wanted.kind == "suggested" else _("Nothing is like that. Ask for less above.")


def _card(project: Project, row: Listed) -> None:
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        with st.container(gap="xsmall"):
            _describe(row)
        # A key without slashes and paths: it becomes a class in the page.
        key = f"choose-{row.info.name}" + (f"-{abs(hash(row.key))}" if row.weights else "")
        if st.button(_("Choose"), key=key, help=plain(row.info.title), disabled=row.must_come_first):
            choose(project, row.info.name, row.weights)


def choose(project: Project, backbone: str, weights: str | None) -> None:
    """Have the next training start from this."""
    with guard():
        drafts.change(project, backbone=backbone, weights=weights)
        st.rerun()


def _describe(row: Listed) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"**{plain(row.info.title)}**", width="content")
        if row.non_commercial:
            st.badge(_("Not for commercial use"), icon=":material/money_off:", color="orange")
        elif row.on_front:
            st.badge(_("Best for its time"), icon=":material/trending_up:", color="green")
    st.markdown(" · ".join([accuracy_words(row), time_words(row), words.size(row.file_size)]))
    if row.origin in ("published", "timm"):
        downloads.draw(row.info)
        if row.must_come_first:
            st.caption(_("There are weights of your own for this network. To choose these instead, download them first."))
        if row.info.licence:
            st.caption(_("Licence of its weights:") + " " + plain(row.info.licence))
    else:
        downloads.here()
        st.caption((_("From your file") if row.origin == "file" else _("From your training")) + ": " + plain(row.source))


def _explanation() -> str:
    return "\n".join(
        "* " + line
        for line in (
            _(
                "**On ImageNet**: how often the network is right on a public test with a thousand kinds of things. "
                "Higher usually means that it also does better on your pictures."
            ),
            _(
                "**Time**: how long this computer takes to look at all pictures of this project once, which is most of what the "
                "quick plan does. Measured where the network ran here already, estimated for the others."
            ),
            _("**Best for its time**: no other network is both quicker on this computer and more accurate."),
            _("**MB**: the size of the file with what it has learned. It makes your model's file larger, too."),
            _(
                "**Weights**: the file with those numbers. The starter's come with the program; others are downloaded once, "
                "or come from a file."
            ),
        )
    )
