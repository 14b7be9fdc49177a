"""Opening pictures: a folder, archive or table by its path, one used before, one uploaded, or the built-in sample."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from pages.ui import address, camera, folders, reading, uploading, words
from pages.ui.guard import guard
from pages.ui.words import one_line
from transfer_core.data.project import Project, recent_folders
from transfer_core.i18n import _
from transfer_core.web import access

_UNCLEAR = "place whose classes can be told in several ways"


def draw() -> None:
    """Draw the ways to open pictures."""
    with st.container(border=True):
        st.header(_("Open your own pictures"), anchor=False)
        st.markdown(
            _("A folder that holds one folder per class: per kind of thing that the program shall learn to tell from the others.")
        )
        shared = access.current().shared
        if not shared:
            _by_path()
        with st.expander(_("What such a folder looks like"), icon=":material/account_tree:"):
            st.code(_layout(), language=None)
            st.caption(
                _(
                    "Pictures are JPEG, PNG, WebP, AVIF, BMP, GIF or TIFF files. They are only read: never changed, moved or deleted."
                )
            )
            st.caption(
                _(
                    "Folders in folders, a zip of such a folder, a CSV of files and classes, and pictures whose file names say the class "
                    "are understood, too: you are shown how, and choose."
                )
            )
        # Whoever joined over the network has no other door, so it stands open.
        with st.expander(
            _("Send pictures through the browser"),
            icon=":material/upload:",
            expanded=shared,
            on_change="rerun",
            key="upload-door",
        ) as upload:
            if upload.open:
                uploading.draw_new()
        with st.expander(
            _("Take pictures with the camera"),
            icon=":material/photo_camera:",
            expanded=shared,
            on_change="rerun",
            key="camera-door",
        ) as photos:
            if photos.open:
                camera.draw_new()


def _by_path() -> None:
    with st.form("open-folder", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
        text = st.text_input(_("Folder, zip or CSV on this computer"), placeholder=_example(), key="folder-typed")
        submitted = st.form_submit_button(_("Open"), type="primary", icon=":material/folder_open:")
    if submitted:
        with guard():
            open_folder(folders.typed_place(text))
    with st.container(horizontal=True):
        if st.button(_("Browse…"), icon=":material/search:"):
            folders.browse(open_folder)
        _recent()


def draw_sample() -> None:
    """Draw the way to the built-in sample."""
    with st.container(border=True):
        st.header(_("Nothing at hand?"), anchor=False)
        st.markdown(
            _("Try it on a small set of drawn pictures that comes with the program. It needs no internet and takes seconds.")
        )
        if st.button(_("Try the sample"), icon=":material/auto_awesome:", key="sample"):
            from transfer_core.data.sample_project import sample_project

            with guard():
                with st.spinner(_("Drawing the sample pictures…")):
                    project = sample_project()
                begin(project)


def open_folder(place: Path) -> None:
    """Go on to the project of a folder, archive or table; where a new one is unclear, ask first how its classes are told.

    Raises AccessError while the pages are shared.
    """
    access.check_disk_may_be_seen()
    project = Project.known(place)
    if project is None:
        if reading.understood(place).unclear:
            st.session_state[_UNCLEAR] = str(place)
            st.rerun()
        project = Project.for_source(place)
    st.session_state.pop(_UNCLEAR, None)
    begin(project)


def draw_unclear() -> None:
    """Draw the choice of how the classes of a place are told, after it was opened and found unclear."""
    if _UNCLEAR not in st.session_state:
        return
    place = Path(st.session_state[_UNCLEAR])
    with st.container(border=True, key="unclear"), guard():
        st.header(_("How are these pictures sorted?"), anchor=False)
        st.text(one_line(words.short_path(place)))
        chosen = reading.choose(place, reading.understood(place), f"open-{place}")
        with st.container(horizontal=True):
            if (
                st.button(_("Open them so"), type="primary", icon=":material/check:", disabled=not chosen, key="open-so")
                and chosen
            ):
                project = Project.for_source(place, reading=chosen.reading)
                del st.session_state[_UNCLEAR]
                begin(project)
            if st.button(_("Not these"), key="open-not"):
                del st.session_state[_UNCLEAR]
                st.rerun()
        if chosen:
            reading.show_pictures(place, chosen)


def begin(project: Project) -> None:
    """Look through the pictures of `project` in the background, and go on to its data."""
    from transfer_core.data import scanning  # here, as below: they load NumPy, which the home page does without

    scanning.start(project)
    address.go("data", project)


def _recent() -> None:
    recent = recent_folders()
    if not recent:
        return
    chosen = st.menu_button(
        _("Used before"),
        recent,
        icon=":material/history:",
        format_func=lambda folder: words.plain(words.short_path(folder)),
        key="recent",
    )
    if chosen is not None:
        with guard():
            open_folder(chosen)


def _example() -> str:
    return str(folders.start() / _("flowers"))


def _layout() -> str:
    flowers, roses, tulips = _("flowers"), _("roses"), _("tulips")
    return f"{flowers}/\n    {roses}/\n        1.jpg\n        2.jpg\n    {tulips}/\n        3.jpg\n        4.jpg"
