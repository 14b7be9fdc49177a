"""Pictures side by side, each with what is to be said of it."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from pages.ui.words import one_line
from transfer_core.i18n import _

# Drawn as one element: sixty st.image would be sixty elements for the browser to lay out, and their captions are Markdown.
_STYLE = """
<style>
.ts-gallery { list-style: none; display: grid; grid-template-columns: repeat(auto-fill, minmax(min(150px, 44%), 1fr));
  gap: 0.75rem; padding: 0 !important; margin: 0; }
.ts-gallery > li { margin: 0; min-width: 0; }
.ts-gallery figure { margin: 0; }
.ts-gallery img, .ts-gallery .ts-none { width: 100%; aspect-ratio: 1; object-fit: cover; border-radius: 0.5rem; display: block;
  background: color-mix(in srgb, currentColor 8%, transparent); }
.ts-gallery .ts-none { padding: 0.5rem; font-size: 0.8rem; }
.ts-gallery figcaption { font-size: 0.85rem; line-height: 1.35; margin-top: 0.3rem; overflow-wrap: anywhere; }
.ts-gallery figcaption small { opacity: 0.75; }
</style>
"""


@dataclass(frozen=True)
class Tile:
    """A thumbnail with a first line and a smaller second one; both are data and shown as they are."""

    image: Path | None
    line: str
    small: str = ""
    alt: str = ""


def draw(tiles: Sequence[Tile], label: str) -> None:
    """Draw `tiles`; `label` says to screen readers what they are."""
    items = "".join(f"<li>{_figure(tile)}</li>" for tile in tiles)
    st.html(f'{_STYLE}<ul class="ts-gallery" aria-label="{html.escape(label, quote=True)}">{items}</ul>')


def image_tag(image: Path | None, alt: str) -> str:
    """An `<img>` that carries its picture, or a field that says there is none."""
    try:
        data = base64.b64encode(image.read_bytes()).decode() if image else None
    except OSError:
        data = None
    if data is None:
        missing = html.escape(_("This picture can't be read"))
        return f'<div class="ts-none">{missing}</div>'
    return f'<img src="data:image/jpeg;base64,{data}" alt="{html.escape(one_line(alt), quote=True)}">'


def breakable(name: str) -> str:
    """A file's name as HTML that breaks after its slashes and underscores before it breaks within a word."""
    return re.sub(r"([/\\_]+)", r"\1<wbr>", html.escape(one_line(name)))


def _figure(tile: Tile) -> str:
    small = f"<br><small>{html.escape(one_line(tile.small))}</small>" if tile.small else ""
    caption = f"<figcaption>{breakable(tile.line)}{small}</figcaption>" if tile.line or small else ""
    return f"<figure>{image_tag(tile.image, tile.alt or tile.line)}{caption}</figure>"
