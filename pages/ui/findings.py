"""What the doctor found in the pictures: a card a finding, the most important first, each with what can be done about it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from pages.ui import browse, gallery, jobs_view, pictures, progress, watch, words
from pages.ui.guard import guard, show_error
from pages.ui.words import one_line, plain
from transfer_core.advice import findings as doctor
from transfer_core.advice.checks.check import Action, Finding, Item
from transfer_core.advice.checks.table import CHECKS
from transfer_core.advice.findings import Findings
from transfer_core.data import scanning
from transfer_core.data.edit_log import Edit
from transfer_core.data.edits import Edits
from transfer_core.data.project import Project
from transfer_core.data.samples import ClassCount, Sample
from transfer_core.i18n import _, ngettext
from transfer_core.runs import jobs

KIND = "check"
BY_ITSELF = 5_000  # pictures up to which nobody has to ask
_SHOWN = 12
_OPEN = 4  # findings that are drawn before somebody asks for the rest
_PAIRS = 4  # that are shown of a finding as long as nobody asks for more
_ICONS = {"serious": ":red[:material/error:]", "look": ":orange[:material/visibility:]", "note": ":material/info:"}
_DONE = "finding-done"


def draw(project: Project, counts: Sequence[ClassCount]) -> None:
    """Draw what was found and still stands; has the doctor look where the pictures changed since."""
    kept = doctor.kept_findings(project)
    stale = kept is None or kept.pictures != doctor.pictures_digest(project)
    _begin_by_itself(project, stale)
    standing = doctor.standing(project, kept, counts)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.header(_("Worth a look"), anchor=False)
        _offer(project, kept, stale)
    jobs_view.follow(KIND, project.folder, progress.sentence)
    _outcome(project)
    loud = [finding for finding in standing if doctor.check_of(finding).severity != "note"]
    _in_their_places(project, loud[:_OPEN])
    _folded(project, loud[_OPEN:], "more-findings", _more)
    _folded(project, standing[len(loud) :], "notes", _notes)
    if kept and not loud:
        st.success(_("Nothing was found that you should look at."), icon=":material/check_circle:")


def _in_their_places(project: Project, shown: Sequence[Finding]) -> None:
    """A card a finding, and what was just done where the finding is or was: there it is seen by whoever pressed."""
    by_check = {finding.check: finding for finding in shown}
    for name in CHECKS:
        _draw_done(project, name)
        if name in by_check:
            _card(project, by_check[name])


def _folded(project: Project, shown: Sequence[Finding], key: str, label: Callable[[int], str]) -> None:
    """Findings that are drawn once somebody unfolds them."""
    if not shown:
        return
    with st.expander(label(len(shown)), icon=":material/expand_circle_down:", on_change="rerun", key=key) as area:
        if area.open:
            for finding in shown:
                _card(project, finding)


def _more(count: int) -> str:
    return ngettext("{count} more finding", "{count} more findings", count).format(count=count)


def _notes(count: int) -> str:
    return ngettext("{count} more thing that is good to know", "{count} more things that are good to know", count).format(
        count=count
    )


def _begin_by_itself(project: Project, stale: bool) -> None:
    """Begin where nothing was found yet, or pictures came: for sets where it takes no more than a minute or two."""
    if not stale or scanning.state(project).status == "running" or not 0 < project.table.count() <= BY_ITSELF:
        return
    job = jobs_view.newest(KIND, project.folder)
    # One that was stopped or came to grief is not begun again without being asked.
    if job is None or watch.state_of(job).status == "finished":
        with guard():
            _begin(project)


def _begin(project: Project) -> None:
    jobs.begin(KIND, {"project": str(project.folder)}, project.folder)


def _offer(project: Project, kept: Findings | None, stale: bool) -> None:
    job = jobs_view.newest(KIND, project.folder)
    if jobs_view.at_work(job):
        return
    label = _("Check again") if kept else _("Check my pictures")
    if st.button(label, icon=":material/health_and_safety:", key="check-pictures", type="primary" if stale else "secondary"):
        with guard():
            _begin(project)
            st.rerun()
    if kept and stale:
        st.caption(_("Pictures came or changed since."), width="content")
    elif kept:
        st.caption(_("Checked: {when}").format(when=words.moment(kept.time)), width="content")


def _outcome(project: Project) -> None:
    """What went wrong the last time, if it did."""
    job = jobs_view.newest(KIND, project.folder)
    if job is None:
        return
    state = watch.state_of(job)
    if state.status in ("failed", "died") and state.error is not None:
        show_error(state.error)
    elif state.status == "stopped":
        st.caption(_("It was stopped. What was worked out so far is kept: it goes on from there."))


def _card(project: Project, finding: Finding) -> None:
    check = doctor.check_of(finding)
    single = _single(finding)
    with st.container(border=True):
        st.markdown(f"{_ICONS[check.severity]} **{plain(doctor.sentence(finding))}**")
        each = not single and bool(check.each) and st.session_state.get(f"each-{finding.check}", False)
        if not each:
            _overview(project, finding)
        with st.container(horizontal=True, gap="small", vertical_alignment="center"):
            for action in check.each if single else ():
                _buttons(project, finding, action, single, f"all-{finding.check}")
            for action in check.remedies:
                if not single or action not in check.each:
                    _button(project, finding, action, None, f"all-{finding.check}-{action}")
            if check.each and not single:
                st.toggle(_("One by one"), key=f"each-{finding.check}")
            if finding.count > 1 and finding.ids:
                st.button(
                    _("Show among the pictures"),
                    icon=":material/grid_view:",
                    key=f"show-{finding.check}",
                    type="tertiary",
                    on_click=browse.show,
                    args=(finding.ids, doctor.sentence(finding)),
                )
        if each:
            _one_by_one(project, finding)


def _single(finding: Finding) -> list[Item]:
    """The one picture, or the two beside each other, that a finding is about; empty where there are more, to be gone through."""
    pairs = doctor.pairs_once(finding.items)
    return [item for item in pairs[0] if item] if len(pairs) == 1 and not finding.more else []


def _overview(project: Project, finding: Finding) -> None:
    """The first pictures of a finding, each with what it is to be compared with."""
    if finding.check in _NAMED:
        names = [sample.relative for sample in _samples(project, finding.ids[:_SHOWN])]
        rest = finding.count - len(names)
        more = [ngettext("and {count} more", "and {count} more", rest).format(count=f"{rest:,}")] if rest else []
        if finding.count > 1:  # the sentence names the first one
            st.caption("  \n".join(plain(name) for name in names + more))
        return
    items = [item for item, _other in doctor.pairs_once(finding.items) if item.id is not None]
    tiles: list[gallery.Tile] = []
    if items:
        paired = any(item.beside is not None for item in items)
        shown = items[: _PAIRS if paired else _SHOWN]
        tiles = [tile for item, pair in zip(shown, _pairs(project, shown), strict=True) for tile in _tiles(project, item, pair)]
    elif examples := finding.values.get("examples"):
        samples = _samples(project, examples)
        images = pictures.thumbnails(project.cache, [(sample.path, sample.content) for sample in samples])
        tiles = [
            gallery.Tile(image, sample.label or "", alt=sample.label or "") for sample, image in zip(samples, images, strict=True)
        ]
    if tiles:
        gallery.draw(tiles, one_line(doctor.sentence(finding)))


def _one_by_one(project: Project, finding: Finding) -> None:
    """A pageful of a finding's items, each with its own buttons."""
    pairs = doctor.pairs_once(finding.items)
    count = len(pairs)
    page = st.pagination(-(-count // _SHOWN), key=f"page-{finding.check}") if count > _SHOWN else 1
    shown = pairs[(page - 1) * _SHOWN : page * _SHOWN]
    samples = _pairs(project, [item for item, _other in shown])
    with st.container(horizontal=True, gap="small"):
        for (item, other), pair in zip(shown, samples, strict=True):
            with st.container(border=True, width=330 if pair[1] else 230):
                tiles = _tiles(project, item, pair)
                if tiles:
                    gallery.draw(tiles, item.label or "")
                elif item.label is not None:
                    st.markdown(plain(item.label) + (f" → {plain(item.to)}" if item.to else ""))
                with st.container(horizontal=True, gap="small"):
                    for action in doctor.check_of(finding).each:
                        _buttons(
                            project, finding, action, [item, other] if other else [item], f"{finding.check}-{item.key}-{item.id}"
                        )


def _buttons(project: Project, finding: Finding, action: Action, items: Sequence[Item], key: str) -> None:
    """A remedy for one item, or for two that are beside each other."""
    if action != "relabel":
        _button(project, finding, action, items, f"{key}-{action}", len(items) > 1)
        return
    for item in items:  # either of two may be the wrong one
        _button(project, finding, action, [item], f"{key}-{action}-{item.id}", len(items) > 1)


def _pairs(project: Project, items: Sequence[Item]) -> list[tuple[Sample | None, Sample | None]]:
    """The sample of each item and the one beside it."""
    ids = {id for item in items for id in (item.id, item.beside) if id is not None}
    known = {sample.id: sample for sample in project.table.samples(state=None, ids=ids)}
    return [(known.get(item.id or -1), known.get(item.beside or -1)) for item in items]


def _samples(project: Project, ids: Sequence[int]) -> list[Sample]:
    """The samples of these ids, in their order."""
    known = {sample.id: sample for sample in project.table.samples(state=None, ids=ids)}
    return [known[id] for id in ids if id in known]


def _tiles(project: Project, item: Item, pair: tuple[Sample | None, Sample | None]) -> list[gallery.Tile]:
    samples = [sample for sample in pair if sample is not None]
    images = pictures.thumbnails(project.cache, [(sample.path, sample.content) for sample in samples])
    tiles = []
    for sample, image in zip(samples, images, strict=True):
        line = sample.label or sample.path.name
        if sample.id == item.id and item.to is not None and item.beside is None:
            line = _("{label}, or {other}?").format(label=sample.label, other=item.to)
        tiles.append(gallery.Tile(image, line, sample.path.name, alt=line))
    return tiles


def _button(
    project: Project, finding: Finding, action: Action, items: Sequence[Item] | None, key: str, both: bool = False
) -> None:
    """A remedy: for some items, or for all of the finding."""
    label = _label(finding, action, items, both)
    arguments = (project, finding, action, items)
    st.button(label, key=key, icon=_ACTION_ICONS[action], on_click=_apply, args=arguments, help=_help(action))


def _label(finding: Finding, action: Action, items: Sequence[Item] | None, both: bool) -> str:
    alone = items is not None or finding.count == 1
    if action == "relabel" and items:
        return (_("Both {name}") if both else _("To {name}")).format(name=plain(items[0].to))
    if action == "exclude" and not alone:
        return _("Exclude all {count}").format(count=f"{finding.count:,}")
    if action == "exclude" and both:
        return _("Exclude both")
    return {
        "relabel": _("Give all the suggested class"),
        "merge": _("Merge") if alone else _("Merge all"),
        "exclude": _("Exclude"),
        "keep": _("Fine as it is"),
    }[action]


def _help(action: Action) -> str:
    return {
        "exclude": _("It is not used any more. The file stays where it is, and you can bring the picture back."),
        "relabel": _("It gets another class here. The file stays where it is."),
        "merge": _("The pictures of both get one class here. The files stay where they are."),
        "keep": _("It is not shown again."),
    }[action]


_ACTION_ICONS: dict[Action, str] = {
    "exclude": ":material/block:",
    "relabel": ":material/label:",
    "merge": ":material/merge:",
    "keep": ":material/check:",
}
# Findings about files that can't be shown.
_NAMED = frozenset({"broken", "truncated", "empty", "unreadable", "phone-format", "too-large", "stray", "not-a-picture"})


def _apply(project: Project, finding: Finding, action: Action, items: Sequence[Item] | None) -> None:
    with guard():
        edits = doctor.apply(project, finding, action, items)
        st.session_state[_DONE] = (str(project.folder), finding.check, Edits(project).history(limit=edits)[::-1])


def _draw_done(project: Project, check: str) -> None:
    """What was just done about a check's finding, with the way back."""
    folder, of, done = st.session_state.get(_DONE, ("", "", []))
    if (folder, of) != (str(project.folder), check) or not done or Edits(project).next_undo() != done[-1]:
        return
    told = [edit.words for edit in done]
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        text = "; ".join(told[:3]) + ("; …" if len(told) > 3 else "")
        st.markdown(f":green[:material/check_circle:] {plain(text)}", width="content")
        st.button(_("Undo"), icon=":material/undo:", key=f"undo-{check}", on_click=_undo, args=(project, done))


def _undo(project: Project, done: Sequence[Edit]) -> None:
    with guard():
        edits = Edits(project)
        for edit in reversed(done):
            if edits.next_undo() != edit:  # somebody changed something else meanwhile
                break
            edits.undo()
        st.session_state.pop(_DONE, None)
