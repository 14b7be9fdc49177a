"""Opening pictures: a folder, archive or table by its path, one used before, one uploaded, or the built-in sample."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from pages.ui import address, folders, reading, words
from pages.ui.guard import guard
from pages.ui.words import one_line
from transfer_core.data.project import Project, recent_folders
from transfer_core.errors import DataError
from transfer_core.i18n import _

_MOST_FILES = 500  # all of them stay in the server's memory until the tab is closed
_UPLOADS = "uploads so far"
_UNCLEAR = "place whose classes can be told in several ways"


def draw() -> None:
    """Draw the ways to open pictures."""
    with st.container(border=True):
        st.header(_("Open your own pictures"), anchor=False)
        st.markdown(
            _("A folder that holds one folder per class: per kind of thing that the program shall learn to tell from the others.")
        )
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
        with st.expander(_("Upload a small folder through the browser"), icon=":material/upload:", on_change="rerun") as upload:
            if upload.open:
                _upload()


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
    """Go on to the project of a folder, archive or table; where a new one is unclear, ask first how its classes are told."""
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


def _upload() -> None:
    from transfer_core.data.uploads import save_upload
    from transfer_core.images.decode import EXTENSIONS

    st.caption(
        _("Choose the folder itself. Up to {count} pictures of up to {size} MB; for more, give the folder's path above.").format(
            count=_MOST_FILES, size=st.get_option("server.maxUploadSize")
        )
    )
    # A new key after each import takes the files out of what the browser sends with every click.
    generation = st.session_state.setdefault(_UPLOADS, 0)
    files = st.file_uploader(
        _("Folder with your pictures"), type=sorted(EXTENSIONS), accept_multiple_files="directory", key=f"upload-{generation}"
    )
    if not files:
        return
    if len(files) > _MOST_FILES:
        raise DataError(
            _("These are {count} files, more than the {most} that can be uploaded.").format(count=len(files), most=_MOST_FILES),
            code="upload-too-large",
            fix=_("Give the folder's path instead: then nothing needs to be copied."),
        )
    if st.button(_("Open these {count} pictures").format(count=len(files)), type="primary", icon=":material/upload:"):
        name = files[0].name.replace("\\", "/").split("/")[0] or _("pictures")
        with guard():
            with st.spinner(_("Taking in the pictures…")):
                project = save_upload(name, ((file.name, file.getvalue()) for file in files))
            st.session_state[_UPLOADS] = generation + 1
            begin(project)


def _example() -> str:
    return str(folders.start() / _("flowers"))


def _layout() -> str:
    flowers, roses, tulips = _("flowers"), _("roses"), _("tulips")
    return f"{flowers}/\n    {roses}/\n        1.jpg\n        2.jpg\n    {tulips}/\n        3.jpg\n        4.jpg"
