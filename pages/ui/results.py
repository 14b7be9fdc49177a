"""The Results page: accuracy, classes, the confusion matrix, and the wrong pictures with the surest first."""

from __future__ import annotations

import streamlit as st

from pages.ui import address, answers, charts, models, scores, steps, tables, words
from pages.ui.words import plain
from transfer_core.data.project import Project
from transfer_core.evaluation.results import ClassScore, Results
from transfer_core.i18n import _, ngettext
from transfer_core.metrics.intervals import Score
from transfer_core.runs.folder import Run

_PAGE = 12
_MIXED_UP = 5


def draw(project: Project, run: Run | None) -> None:
    """Draw the results of the chosen training."""
    chosen = models.choose("results", project, run)
    if chosen is None:
        return
    results = scores.results_of(chosen)
    scores.draw(results)
    steps.forward(_("Next: try it"), "try", project, chosen)
    if results.score is None:
        return
    _advice(project)
    st.header(_("Class by class"), anchor=False)
    st.caption(
        _(
            "How many of each class's pictures were recognised. The paler part of a bar is the range to expect on other "
            "pictures; few pictures make it wide."
        )
    )
    _classes(results)
    st.header(_("What was taken for what"), anchor=False)
    _mixed_up(results)
    charts.confusion(results, f"confusion-{chosen.id}")
    st.caption(_("A confusion matrix: each row is a class, each column an answer. Right answers lie on the diagonal."))
    _wrong(project, results)


def _advice(project: Project) -> None:
    with st.expander(_("If that is not good enough"), icon=":material/lightbulb:"):
        advice = (
            _(
                "More pictures help most, above all of the classes that stand first below. Put them into their folders, then have "
                "the Data page look for new pictures, and train again."
            ),
            _("A larger backbone sees more, and takes longer. Choose another one, and train again."),
            _("Look at the pictures it got wrong, at the end of this page: some may lie in the wrong folder."),
        )
        st.markdown("\n".join(f"* {line}" for line in advice))
        address.link("backbone", _("Choose another backbone"), project, icon=":material/hub:")


def _classes(results: Results) -> None:
    """The classes with the hardest first."""
    ranked = sorted(results.per_class, key=lambda score: (score.accuracy, score.label))
    tables.draw(
        [_("Class"), _("Recognised"), _("Range to expect")],
        [_class_row(score) for score in ranked],
        [(score.low, score.high) for score in ranked],
    )


def _class_row(score: ClassScore) -> list[str]:
    whole = Score(score.accuracy, score.low, score.high, score.count)
    share, low, high = (scores.share(value, whole) for value in (score.accuracy, score.low, score.high))
    right = round(score.accuracy * score.count)
    return [
        score.label,
        _("{share} ({right} of {count})").format(share=share, right=right, count=score.count),
        _("{low} to {high}").format(low=low, high=high),
    ]


def _mixed_up(results: Results) -> None:
    pairs = [
        (count, true, said)
        for true, row in zip(results.labels, results.confusion, strict=True)
        for said, count in zip(results.labels, row, strict=True)
        if count and true != said
    ]
    if not pairs:
        st.markdown(_("Nothing was mixed up."))
        return
    lines = [
        ngettext(
            "{count} picture of {true} was taken for {answer}", "{count} pictures of {true} were taken for {answer}", count
        ).format(count=count, true=plain(true), answer=plain(said))
        for count, true, said in sorted(pairs, key=lambda pair: (-pair[0], pair[1], pair[2]))[:_MIXED_UP]
    ]
    st.markdown("\n".join(f"* {line}" for line in lines))


def _wrong(project: Project, results: Results) -> None:
    st.header(_("The pictures it got wrong"), anchor=False)
    wrong = results.wrong
    if not wrong:
        st.markdown(_("None: every held-out picture was answered rightly. With so few, that is no promise for all others."))
        return
    st.caption(
        _("Those it was surest of come first. Look at them closely: some may lie in the wrong folder, or show two things.")
    )
    everything = _("All classes")
    labels = sorted({answer.label for answer in wrong})
    chosen = st.selectbox(
        _("Only pictures that are really"),
        [None, *labels],
        format_func=lambda label: everything if label is None else words.one_line(label),
    )
    shown = [answer for answer in wrong if chosen is None or answer.label == chosen]
    page = st.pagination(-(-len(shown) // _PAGE), key=f"wrong-{chosen}") if len(shown) > _PAGE else 1
    answers.draw_answered(project, results, shown[(page - 1) * _PAGE : page * _PAGE])
