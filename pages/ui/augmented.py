"""What training is shown of the pictures: in words, and on a few of the user's own when they ask for it."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from pages.ui import gallery, jobs_view, watch
from pages.ui.guard import guard, show_error
from pages.ui.words import one_line, plain
from transfer_core.data.project import Project
from transfer_core.i18n import _
from transfer_core.images.augmentation import NONE, Augmentation, sentences
from transfer_core.runs import jobs
from transfer_core.runs.jobs import Job
from transfer_core.runs.state import RunState

KIND = "preview"
PICTURES = 4
_STYLE = """
<style>
.ts-augmented { display: grid; grid-template-columns: repeat(6, minmax(0, 1fr)); gap: 0.4rem 0.6rem; }
.ts-augmented img, .ts-augmented .ts-none { width: 100%; aspect-ratio: 1; object-fit: cover; border-radius: 0.35rem; display: block;
  background: color-mix(in srgb, currentColor 8%, transparent); font-size: 0.7rem; }
.ts-augmented span { font-size: 0.85rem; opacity: 0.85; overflow-wrap: anywhere; }
.ts-augmented .ts-rest { grid-column: span 5; }
.ts-augmented .ts-first { position: relative; }
.ts-augmented .ts-first::after { content: ""; position: absolute; inset-block: 0; inset-inline-end: calc(-0.3rem - 1px);
  border-inline-end: 2px solid color-mix(in srgb, currentColor 25%, transparent); }
</style>
"""


def draw(project: Project, augmentation: Augmentation) -> None:
    """Draw what this augmentation does, in words, and the examples of it or the way to them."""
    st.caption(plain(" ".join(sentences(augmentation))))
    if augmentation == NONE:
        return
    asked = _asked(project, augmentation)
    jobs_view.follow(KIND, project.folder, _sentence)
    newest = asked[0] if asked else None
    _outcome(newest)
    # While others are drawn, the last ones stay.
    shown = next((job for job in asked if watch.state_of(job).status == "finished"), None)
    if shown is not None:
        st.html(_grid(shown.folder, (shown.report() or {}).get("rows", ())))
    if not jobs_view.at_work(newest):
        label, icon = (_("Show others"), "refresh") if shown else (_("Show examples"), "visibility")
        seed = int(shown.arguments["seed"]) + 1 if shown else 0
        st.button(label, icon=f":material/{icon}:", key="examples-begin", on_click=_begin, args=(project, augmentation, seed))


def _asked(project: Project, augmentation: Augmentation) -> list[Job]:
    """The jobs that draw examples of this augmentation, whoever asked for them, newest first."""
    wanted = augmentation.as_data()
    there = (job for job in jobs.list_jobs(project.folder) if job.kind == KIND)
    return [job for job in there if job.arguments.get("augmentation") == wanted]


def _begin(project: Project, augmentation: Augmentation, seed: int) -> None:
    with guard():
        told = {"project": str(project.folder), "augmentation": augmentation.as_data(), "count": PICTURES, "seed": seed}
        jobs.begin(KIND, told, project.folder)


def _sentence(state: RunState) -> str:
    return _("Drawing examples")


def _outcome(job: Job | None) -> None:
    """What went wrong the last time, if it did."""
    if job is not None and not jobs_view.at_work(job) and (error := watch.state_of(job).error) is not None:
        show_error(error)


def _grid(folder: Path, rows: Sequence[Mapping[str, Any]]) -> str:
    """A row a picture: as it is, then as training may see it."""
    parts = [
        f'<span class="ts-first">{html.escape(_("As it is"))}</span>',
        f'<span class="ts-rest">{html.escape(_("As training may see it"))}</span>',
    ]
    for row in rows:
        label = one_line(row["label"])
        for place, name in enumerate(row["files"]):
            alt = _("{label}, varied").format(label=label) if place else _("{label}, as it is").format(label=label)
            image = gallery.image_tag(folder / name, alt)
            parts.append(f"<div>{image}</div>" if place else f'<div class="ts-first">{image}</div>')
    named = html.escape(_("Examples of what training is shown"), quote=True)
    return f'{_STYLE}<div class="ts-augmented" role="group" aria-label="{named}">{"".join(parts)}</div>'
