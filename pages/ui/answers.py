"""Pictures with what a model says of them: held-out ones that were answered already, and new ones that are dropped in."""

from __future__ import annotations

import html
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from pages.ui import gallery, pictures, words
from pages.ui.guard import fragment
from pages.ui.tables import BAR
from pages.ui.words import one_line
from transfer_core.data.project import Project
from transfer_core.evaluation.results import Answered, Results
from transfer_core.i18n import _
from transfer_core.images.formats import EXTENSIONS
from transfer_core.models.answer import AnswerProcess
from transfer_core.models.predict import Prediction
from transfer_core.runs.automatic import model_of
from transfer_core.runs.folder import AUTOMATIC, Run

_BARS = 4
_EXAMPLES = 6
_MOST_AT_ONCE = 24
_SIZE = 256  # pixels a side of the pictures shown
_ASKED = "answers to dropped pictures"

_STYLE = """
<style>
.ts-answers { list-style: none; display: grid; grid-template-columns: repeat(auto-fill, minmax(min(300px, 100%), 1fr));
  gap: 0.9rem; padding: 0 !important; margin: 0; }
.ts-answers > li { margin: 0; display: grid; grid-template-columns: 7rem minmax(0, 1fr); gap: 0.8rem; padding: 0.7rem;
  border: 1px solid color-mix(in srgb, currentColor 18%, transparent); border-radius: 0.6rem; font-size: 0.9rem; }
.ts-answers img, .ts-answers .ts-none { width: 7rem; height: 7rem; object-fit: cover; border-radius: 0.4rem; display: block;
  background: color-mix(in srgb, currentColor 8%, transparent); overflow: hidden; font-size: 0.75rem; }
.ts-answers p { margin: 0 0 0.3rem 0; overflow-wrap: anywhere; line-height: 1.3; }
.ts-answers .ts-name { font-size: 0.78rem; opacity: 0.75; }
.ts-bar { display: grid; grid-template-columns: minmax(0, 1fr) 3.2rem; gap: 0 0.4rem; margin-bottom: 0.25rem; }
.ts-bar span { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.ts-bar span + span { text-align: right; font-variant-numeric: tabular-nums; }
.ts-bar div { grid-column: 1 / -1; height: 6px; border-radius: 3px;
  background: color-mix(in srgb, currentColor 14%, transparent); }
.ts-bar i { display: block; height: 100%; border-radius: 3px; background: BAR; }
</style>
""".replace("BAR", BAR)


@dataclass(frozen=True)
class Card:
    """A picture as an `<img>`, its name, a first sentence, and the likeliest classes with their probabilities."""

    image: str
    name: str
    verdict: str
    bars: Sequence[tuple[str, float]]


def draw_cards(cards: Sequence[Card], label: str) -> None:
    """Draw pictures with bars beside them; `label` says to screen readers what they are."""
    items = "".join(f"<li>{card.image}<div>{_beside(card)}</div></li>" for card in cards)
    st.html(f'{_STYLE}<ul class="ts-answers" aria-label="{html.escape(label, quote=True)}">{items}</ul>')


def draw_answered(project: Project, results: Results, shown: Sequence[Answered]) -> None:
    """Draw held-out pictures with what the model said of them and what they really are."""
    images = pictures.thumbnails(project.cache, [(answer.path, None) for answer in shown], _SIZE)
    cards = []
    for answer, image in zip(shown, images, strict=True):
        if answer.right:
            verdict = _("{answer}, which is right").format(answer=answer.predicted)
        else:
            verdict = _("{answer}, but it is {label}").format(answer=answer.predicted, label=answer.label)
        cards.append(Card(gallery.image_tag(image, answer.label), answer.relative, verdict, _likeliest(results.classes, answer)))
    draw_cards(cards, _("Held-out pictures with the model's answers"))


def examples(results: Results) -> list[Answered]:
    """A few held-out pictures, taken evenly over the classes and neither for being right nor for being wrong."""
    by_class: dict[str, list[Answered]] = {}
    for answer in results.answered:
        by_class.setdefault(answer.label, []).append(answer)
    chosen: list[Answered] = []
    place = 0
    while len(chosen) < min(_EXAMPLES, len(results.answered)):
        for answers in by_class.values():
            if place < len(answers) and len(chosen) < _EXAMPLES:
                chosen.append(answers[place])
        place += 1
    return chosen


def draw_drop_area(project: Project, run: Run) -> None:
    """Draw an area to drop pictures on, and the model's answers to them."""
    fragment()(_drop_area)(project, run)


def _drop_area(project: Project, run: Run) -> None:
    if run.automatic:
        # The newest, and under one key: what was dropped stays, and is answered again by what comes after it.
        run = model_of(project.folder) or run
    files = st.file_uploader(
        _("Drop pictures here to see what the model says"),
        type=sorted(EXTENSIONS),
        accept_multiple_files=True,
        key=f"dropped-{AUTOMATIC if run.automatic else run.id}",
    )
    if not files:
        return
    if len(files) > _MOST_AT_ONCE:
        only = _("Only the first {count} are answered here. For whole folders there is the command transfer-studio predict.")
        st.caption(only.format(count=_MOST_AT_ONCE))
    known: dict[tuple[str, str], Card] = st.session_state.setdefault(_ASKED, {})
    wanted = {(run.id, file.file_id): file for file in files[:_MOST_AT_ONCE]}
    new = {key: file for key, file in wanted.items() if key not in known}
    if new:
        with st.spinner(_("Asking the model…")):
            answered = _ask(run, [(file.name, file.getvalue()) for file in new.values()])
        known.update(zip(new, answered, strict=True))
    for key in set(known) - set(wanted):
        del known[key]
    draw_cards([known[key] for key in wanted], _("Your pictures with the model's answers"))


def _ask(run: Run, files: Sequence[tuple[str, bytes]]) -> list[Card]:
    """The model's answers to pictures that came through the browser; they are on disk only as long as it takes."""
    with tempfile.TemporaryDirectory(prefix="transfer-studio-") as folder:
        paths = []
        for number, (name, data) in enumerate(files):
            # The browser's name is data: only an ending that is known goes into a path.
            ending = Path(name).suffix.lower()
            path = Path(folder) / f"{number}{ending if ending in EXTENSIONS else ''}"
            path.write_bytes(data)
            paths.append(path)
        predictions = model_process(run).predict(paths)
        images = pictures.thumbnails(Path(folder), [(path, None) for path in paths], _SIZE)
        return [
            _card(name, gallery.image_tag(image, name), prediction)
            for (name, _data), image, prediction in zip(files, images, predictions, strict=True)
        ]


def model_process(run: Run) -> AnswerProcess:
    """The process that answers for a training's model, kept for all tabs."""
    file = run.model_folder / "model.json"
    return _process(str(run.model_folder), file.stat().st_mtime_ns if file.exists() else 0)


@st.cache_resource(max_entries=2, on_release=lambda process: process.close(), show_spinner=False)
def _process(model_folder: str, changed: int) -> AnswerProcess:
    return AnswerProcess(Path(model_folder))


def _card(name: str, image: str, prediction: Prediction) -> Card:
    if prediction.error:
        return Card(image, name, str(prediction.error["message"]).replace(str(prediction.file), name), [])
    if prediction.refused:
        verdict = _("None of these: it is unlike everything the model has learned. The likeliest were:")
    else:
        verdict = str(prediction.label)
    return Card(image, name, verdict, prediction.top[:_BARS])


def _likeliest(classes: Sequence[str], answer: Answered) -> list[tuple[str, float]]:
    ranked: list[tuple[str, float]] = sorted(zip(classes, answer.probabilities, strict=True), key=lambda pair: -pair[1])
    return ranked[:_BARS]


def _beside(card: Card) -> str:
    lines = [f"<p><strong>{html.escape(one_line(card.verdict))}</strong></p>"]
    lines += [
        f'<div class="ts-bar"><span title="{html.escape(one_line(label), quote=True)}">{html.escape(one_line(label))}</span>'
        f"<span>{html.escape(words.percent(share))}</span>"
        f'<div aria-hidden="true"><i style="width:{100 * share:.1f}%"></i></div></div>'
        for label, share in card.bars
    ]
    lines.append(f'<p class="ts-name">{gallery.breakable(card.name)}</p>')
    return "".join(lines)
