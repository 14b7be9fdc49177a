"""A backbone's stages as a strip, stem to last: which stay frozen and which learn, told by more than colour."""

from __future__ import annotations

import html
from collections.abc import Sequence

import streamlit as st

from pages.ui.tables import BAR
from pages.ui.words import one_line
from transfer_core.i18n import _

_STYLE = f"""
<style>
.ts-strip, .ts-strip div {{ display: flex; min-width: 0; }}
.ts-strip {{ gap: 3px; font-size: 0.8rem; line-height: 1.2; }}
.ts-strip > div {{ flex-direction: column; gap: 3px; }}
.ts-strip div div {{ gap: 3px; }}
.ts-strip b {{ flex: 1 1 0; min-width: 0; padding: 0.45rem 0; text-align: center; font-weight: 600; overflow: hidden;
  border: 1px solid color-mix(in srgb, currentColor 45%, transparent); border-radius: 4px; }}
.ts-strip .ts-frozen b {{ background: repeating-linear-gradient(135deg, transparent 0 5px,
  color-mix(in srgb, currentColor 14%, transparent) 5px 7px); font-weight: 400; }}
.ts-strip .ts-learns b {{ background: {BAR}; border-color: {BAR}; color: #06231f; }}
.ts-strip span {{ white-space: nowrap; opacity: 0.85; }}
.ts-strip .ts-learns span {{ text-align: right; direction: rtl; }}
</style>
"""


def draw(stages: Sequence[str], frozen: int) -> None:
    """Draw the stages, the first `frozen` of which stay as they are."""
    count = len(stages)
    parts = [
        _part("ts-frozen", stages[:frozen], _("frozen")),
        _part("ts-learns", stages[frozen:], _("learns")),
    ]
    told = _("{frozen} of {count} stages stay frozen, from the first on").format(frozen=frozen, count=count)
    st.html(f'{_STYLE}<div class="ts-strip" role="img" aria-label="{html.escape(told)}">{"".join(parts)}</div>')


def _part(kind: str, stages: Sequence[str], legend: str) -> str:
    if not stages:
        return ""
    cells = "".join(f"<b>{html.escape(one_line(_short(name)))}</b>" for name in stages)
    return f'<div class="{kind}" style="flex:{len(stages)} 1 0"><div>{cells}</div><span>{html.escape(legend)}</span></div>'


def _short(name: str) -> str:
    """Stages are told by their numbers, the stem by its name: eight of them stand side by side on a phone."""
    return name.removeprefix("stage")
