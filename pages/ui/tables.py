"""Small tables, drawn as HTML: names in them are data, and no data frame library is loaded for them."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

import streamlit as st

from pages.ui.words import one_line

BAR = "#2a9d8a"  # readable on light and dark
_CURRENT = ' aria-current="true"'

_STYLE = f"""
<style>
.ts-table {{ max-height: 30rem; overflow: auto; }}
.ts-table table {{ border-collapse: collapse; width: 100%; font-size: 0.95rem; font-variant-numeric: tabular-nums; }}
.ts-table th, .ts-table td {{ padding: 0.35rem 0.6rem; text-align: right; overflow-wrap: anywhere;
  border-bottom: 1px solid color-mix(in srgb, currentColor 15%, transparent); }}
.ts-table .ts-left {{ text-align: left; }}
.ts-table td:not(.ts-left) {{ white-space: nowrap; }}
.ts-table th:first-child {{ text-align: left; font-weight: 500; width: 42%; }}
.ts-table thead th {{ font-weight: 600; font-size: 0.85rem; opacity: 0.8; overflow-wrap: normal; }}
.ts-range {{ position: relative; display: block; height: 6px; border-radius: 3px; margin-top: 4px;
  background: color-mix(in srgb, currentColor 12%, transparent); }}
.ts-range b, .ts-range u {{ position: absolute; top: 0; left: 0; height: 100%; border-radius: 3px; background: {BAR}; }}
.ts-range u {{ opacity: 0.4; }}
.ts-table tr[aria-current] {{ background: color-mix(in srgb, {BAR} 16%, transparent); }}
.ts-table tr[aria-current] th, .ts-table tr[aria-current] td {{ font-weight: 700; }}
.ts-note {{ display: inline-block; padding: 0 0.3rem; border: 1px solid currentColor; border-radius: 1rem; font-size: 0.7rem;
  font-weight: 600; white-space: nowrap; }}
@media (max-width: 640px) {{ .ts-table th, .ts-table td {{ padding: 0.35rem 0.3rem; }} }}
</style>
"""


def draw(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    bars: Sequence[tuple[float, float]] = (),
    left: bool = False,
    notes: Mapping[int, str] | None = None,
    current: int | None = None,
) -> None:
    """Draw rows of text under `head`, numbers to the right unless `left`.

    `bars` has, for each row, a share in 0..1 drawn under its first cell, and one up to which the bar goes on paler. `notes` are marks
    behind the first cell of rows by their numbers; the row `current` is the chosen one.
    """
    marks = notes or {}
    side = ' class="ts-left"' if left else ""
    title = "".join(f'<th scope="col"{side}>{html.escape(text)}</th>' for text in head)
    body = "".join(
        f"<tr{_CURRENT if number == current else ''}>"
        f'<th scope="row">{_text(row[0])}{_note(marks.get(number))}{_bar(*bars[number]) if bars else ""}</th>'
        + "".join(f"<td{side}>{_text(cell)}</td>" for cell in row[1:])
        + "</tr>"
        for number, row in enumerate(rows)
    )
    thead = f"<thead><tr>{title}</tr></thead>" if head else ""
    # It scrolls when it is long: a keyboard reaches it by its tab stop.
    st.html(f'{_STYLE}<div class="ts-table" tabindex="0"><table>{thead}<tbody>{body}</tbody></table></div>')


def _text(text: str) -> str:
    return html.escape(one_line(text))


def _note(text: str | None) -> str:
    return f' <span class="ts-note">{_text(text)}</span>' if text else ""


def _bar(low: float, high: float) -> str:
    return (
        f'<span class="ts-range" aria-hidden="true"><b style="width:{100 * low:.1f}%"></b>'
        f'<u style="left:{100 * low:.1f}%;width:{100 * max(0.0, high - low):.1f}%"></u></span>'
    )
