"""The classes side by side: how many pictures each has, what they look like; renamed and merged where they stand."""

from __future__ import annotations

import html
from collections.abc import Sequence

import streamlit as st

from pages.ui import browse, gallery, pictures, words
from pages.ui.guard import guard
from pages.ui.tables import BAR
from pages.ui.words import one_line, plain
from transfer_core.data.edits import Edits, class_name
from transfer_core.data.project import Project
from transfer_core.data.samples import ClassCount
from transfer_core.i18n import _, ngettext

_CLASSES = 10  # on a page
_EACH = 8  # pictures of a class
_RENAMED = "class to rename"
_STYLE = f"""
<style>
.ts-sheet {{ list-style: none; display: grid; grid-template-columns: repeat(8, minmax(0, 1fr)); gap: 0.4rem;
  padding: 0 !important; margin: 0; }}
.ts-sheet > li {{ margin: 0; }}
.ts-sheet img, .ts-sheet .ts-none {{ width: 100%; aspect-ratio: 1; object-fit: cover; border-radius: 0.35rem; display: block;
  background: color-mix(in srgb, currentColor 8%, transparent); font-size: 0.7rem; }}
.ts-count {{ display: flex; flex-wrap: wrap; align-items: baseline; gap: 0.1rem 0.8rem; overflow-wrap: anywhere; }}
.ts-count b {{ font-size: 1.1rem; }}
.ts-count span {{ font-size: 0.85rem; opacity: 0.85; }}
.ts-share {{ height: 6px; border-radius: 3px; margin: 0.3rem 0 0.5rem; background: color-mix(in srgb, currentColor 12%, transparent); }}
.ts-share i {{ display: block; height: 100%; border-radius: 3px; background: {BAR}; }}
@media (max-width: 640px) {{ .ts-sheet {{ grid-template-columns: repeat(4, minmax(0, 1fr)); }} }}
</style>
"""


def draw(project: Project, counts: Sequence[ClassCount]) -> None:
    """Draw a page of the classes, a row each."""
    if not counts:
        st.info(_("No picture has a class yet."), icon=":material/category:")
        return
    st.caption(
        _(
            "Learning: the program learns from these. Checking: it checks itself on these while learning. "
            "Testing: looked at once, at the end."
        )
    )
    pages = -(-len(counts) // _CLASSES)
    page = min(st.pagination(pages, key="sheet-page"), pages) if pages > 1 else 1
    shown = counts[(page - 1) * _CLASSES : page * _CLASSES]
    examples = project.table.examples([count.label for count in shown], _EACH)
    flat = [sample for samples in examples.values() for sample in samples]
    images = dict(zip(flat, pictures.thumbnails(project.cache, [(each.path, each.content) for each in flat]), strict=True))
    most = max(count.total for count in counts)
    st.html(_STYLE)
    for place, count in enumerate(shown):
        with st.container(border=True, gap="xsmall"):
            head, buttons = st.columns([3, 2], vertical_alignment="center")
            head.html(_head(count, most))
            with buttons, st.container(horizontal=True, horizontal_alignment="right", gap="small"):
                _buttons(count, place)
            items = "".join(
                f"<li>{gallery.image_tag(images[each], one_line(count.label))}</li>" for each in examples[count.label]
            )
            st.html(f'<ul class="ts-sheet" aria-label="{html.escape(_examples_of(count), quote=True)}">{items}</ul>')
    asked = st.session_state.pop(_RENAMED, None)
    if asked in {count.label for count in counts}:
        st.dialog(_("Rename a class"))(_guarded)(project, asked)


def _examples_of(count: ClassCount) -> str:
    return _("Pictures of {name}").format(name=one_line(count.label))


def _head(count: ClassCount, most: int) -> str:
    parts = [
        (count.train, _("{count} for learning")),
        (count.val, _("{count} for checking")),
        (count.test, _("{count} for testing")),
        (count.excluded, _("{count} excluded")),
        (count.left_out, _("{count} can't be used")),
    ]
    told = " · ".join(text.format(count=f"{number:,}") for number, text in parts if number)
    return (
        f'<div class="ts-count"><b>{html.escape(one_line(count.label))}</b>'
        f"<span>{html.escape(words.pictures(count.total))}</span><span>{html.escape(told)}</span></div>"
        f'<div class="ts-share" aria-hidden="true"><i style="width:{100 * count.total / max(1, most):.1f}%"></i></div>'
    )


def _buttons(count: ClassCount, place: int) -> None:
    name = one_line(count.label)
    st.button(
        _("Show all"),
        icon=":material/grid_view:",
        key=f"show-class-{place}",
        help=plain(_("Pictures of {name}").format(name=name)),
        on_click=browse.show_class,
        args=(count.label,),
    )
    st.button(
        _("Rename"),
        icon=":material/edit:",
        key=f"rename-class-{place}",
        help=plain(_("Rename {name}, or merge it with another class").format(name=name)),
        on_click=_ask_to_rename,
        args=(count.label,),
    )


def _ask_to_rename(label: str) -> None:
    st.session_state[_RENAMED] = label


def _guarded(project: Project, old: str) -> None:
    with guard():
        _rename(project, old)


def _rename(project: Project, old: str) -> None:
    counts = {count.label: count.total + count.excluded for count in project.table.classes()}
    typed = st.text_input(_("New name"), value=old, max_chars=200, key="rename-to")
    new = class_name(typed) if typed and typed.strip() else ""
    size = counts.get(old, 0)
    merging = new != old and new in counts
    if merging:
        st.warning(
            _("There is a class {name} already, with {count}. The two become one class of {all}.").format(
                name=plain(new), count=words.pictures(counts[new]), all=words.pictures(counts[new] + size)
            ),
            icon=":material/merge:",
        )
    elif new and new != old:
        st.markdown(
            ngettext("{count} picture will be called {name}.", "{count} pictures will be called {name}.", size).format(
                count=f"{size:,}", name=f"**{plain(new)}**"
            )
        )
    st.caption(_("Your folders and files keep their names. It can be undone."))
    label = _("Merge the classes") if merging else _("Rename the class")
    if st.button(label, type="primary", disabled=not new or new == old, key="rename-do"):
        Edits(project).rename(old, new)
        st.rerun()
