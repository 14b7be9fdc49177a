"""Keeping what a training made: the model's folder, its download, and the log of one that went wrong."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path

import streamlit as st

from pages.ui import handing_over, words
from transfer_core.i18n import _
from transfer_core.runs.folder import Run

_MOST = 150_000_000  # bytes: a download passes through the page server's memory
_LOG_SHOWN = 4000  # characters


def draw_model(run: Run, project_name: str) -> None:
    """Say where the model is and offer it as a download."""
    st.markdown(
        _(
            "The model is a folder. Copy it anywhere: it is all that is needed to answer, on this computer or another, "
            "and its README says how. None of your pictures are in it."
        )
    )
    st.code(str(run.model_folder), language=None, wrap_lines=True)
    draw_download(run, project_name)


def draw_download(run: Run, project_name: str) -> None:
    """Offer the model as a download."""
    folder = run.model_folder
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    if size > _MOST:
        st.caption(_("At {size} it is too large to come through the browser: copy the folder.").format(size=words.size(size)))
        return
    name = re.sub(r"[^\w\-. ]", "_", project_name).strip(" .") or "model"
    handing_over.button(
        _("Download the model ({size})").format(size=words.size(size)),
        lambda: zipped(folder, name),
        f"{name}.zip",
        "application/zip",
    )


def zipped(folder: Path, name: str) -> bytes:
    """The files of `folder` as a zip file, in a folder called `name`."""
    buffer = io.BytesIO()
    # What is large in a model are numbers, which hardly get smaller.
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, f"{name}/{file.relative_to(folder).as_posix()}")
    return buffer.getvalue()


def draw_log(run: Run) -> None:
    """Show the end of what a training's process printed, for whoever is asked for help."""
    if not run.log_file.exists():
        return
    with st.expander(_("Details for whoever helps you"), icon=":material/bug_report:"):
        st.caption(_("The end of the log:") + " " + words.plain(run.log_file))
        st.code(run.log_file.read_text(encoding="utf-8", errors="replace")[-_LOG_SHOWN:], language=None, wrap_lines=True)
