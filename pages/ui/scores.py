"""How often a model is right, with how sure that is."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from pages.ui import words
from pages.ui.words import plain
from transfer_core.evaluation.results import Results, read_results
from transfer_core.i18n import _, language
from transfer_core.metrics.intervals import Score
from transfer_core.runs.folder import Run

_ENOUGH_FOR_TENTHS = 500


def results_of(run: Run) -> Results:
    """The results of a finished training, read once; raises ModelError."""
    file = run.model_folder / "model.json"
    changed = file.stat().st_mtime_ns if file.exists() else 0
    # It is looked at after every change of the pictures: a test set that is looked at so often tests nothing any more.
    return _read(str(run.model_folder), changed, language(), "val" if run.automatic else None)


# A resource and not data: results are only read, and copying thousands of answers for every page takes time.
@st.cache_resource(max_entries=4, show_spinner=False)
def _read(model_folder: str, changed: int, spoken: str, split: str | None) -> Results:
    return read_results(Path(model_folder), split)


def draw(results: Results) -> None:
    """Draw the accuracy large, and what it means."""
    score = results.score
    with st.container(border=True, gap="xsmall"):
        if score is None:
            st.markdown(
                _(
                    "There were no pictures to test on, so nobody knows how often this model is right. "
                    "Add more pictures per class."
                )
            )
            return
        st.metric(_("Right answers"), share(score.accuracy, score))
        st.markdown(sentence(score))
        st.caption(
            plain(results.how)
            + " "
            + _("The range is a 95% interval: it says how sure the number is, and gets narrower the more pictures are tested.")
        )


def sentence(score: Score) -> str:
    """A score with its interval, in words."""
    right = round(score.accuracy * score.count)
    return _(
        "{right} of {count} held-out pictures were answered rightly. "
        "On other pictures of the same kind, expect between {low} and {high}."
    ).format(right=f"{right:,}", count=f"{score.count:,}", low=share(score.low, score), high=share(score.high, score))


def share(value: float, score: Score) -> str:
    """A share of a score, with no more digits than its count is good for."""
    return words.percent(value, 1 if score.count >= _ENOUGH_FOR_TENTHS else 0)


def short(run: Run) -> str | None:
    """The accuracy of a finished training in a word; None without one."""
    report = run.report() or {}
    found = (not run.automatic and report.get("test")) or report.get("val")
    return words.percent(found["accuracy"]) if found else None
