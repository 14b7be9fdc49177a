"""The choice of how the classes of pictures are told, where it isn't plain: each way with what it would give."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import streamlit as st

from pages.ui import gallery, pictures, words
from pages.ui.guard import show_error
from pages.ui.words import one_line, plain
from transfer_core.data.reading import Columns, Reading
from transfer_core.errors import TransferError
from transfer_core.i18n import _

if TYPE_CHECKING:
    from transfer_core.data.guess import Guess, Offer

_THUMBNAILS = "folder of thumbnails of pictures that are not opened yet"
_LATER = 120  # seconds after which a place is looked at anew
Other = Literal["pattern", "class"]


def understood(place: Path, fewest: int = 2) -> Guess:
    """The readings of a place; looked at once for all that is drawn within two minutes. Raises what `guess` raises."""
    return _understood(str(place), fewest)


@st.cache_data(ttl=_LATER, max_entries=8, show_spinner=False)
def _understood(place: str, fewest: int) -> Guess:
    from transfer_core.data.guess import guess  # here: it loads NumPy, which the home page does without

    return guess(Path(place), fewest)


@st.cache_data(ttl=_LATER, max_entries=32, show_spinner=False)
def _tried(place: str, reading: str) -> Offer:
    from transfer_core.data.guess import try_reading

    return try_reading(Path(place), Reading.from_data(json.loads(reading)))


def choose(place: Path, found: Guess, key: str, classes: list[str] | None = None) -> Offer | None:
    """Draw the choice; returns what is chosen, with what it gives; None while what was written can't be used.

    With `classes`, those of a project that the pictures are added to, all of them may also be of one class.
    """
    ways = _ways(found, classes is not None)
    chosen = ways[0]
    if len(ways) > 1:
        number = st.radio(
            _("What says the class of a picture?"),
            range(len(ways)),
            format_func=lambda number: plain(_title(ways[number])),
            captions=[plain(_caption(way, found.more)) for way in ways],
            key=f"{key}-way",
        )
        chosen = ways[number]
    else:
        st.markdown(plain(_title(chosen)))
    try:
        reading = _details(chosen, place, key, classes)
        if reading is None:
            return None
        offer = replace(_tried(str(place), json.dumps(reading.as_data())), reading=_with_group(reading, key))
    except TransferError as error:
        show_error(error)
        return None
    _say(offer, found.more)
    return offer if offer.classes else None


def _ways(found: Guess, adding: bool) -> list[Offer | Other]:
    kinds = {offer.reading.kind for offer in found.offers}
    ways: list[Offer | Other] = [*found.offers]
    if adding:
        ways.append("class")
    if not kinds & {"names", "table"}:
        ways.append("pattern")
    return ways


def _title(way: Offer | Other) -> str:
    if way == "pattern":
        return _("The file name says the class, by a pattern of your own.")
    return _("All of them are of one class.") if way == "class" else way.sentence


def _caption(way: Offer | Other, more: bool) -> str:
    from transfer_core.data.guess import counted

    if way == "pattern":
        return _("For names such as cat_001.jpg.")
    if way == "class":
        return _("A class that is there already, or a new one.")
    count = words.classes(len(way.classes))
    return (
        _("{classes}: {names}, and there may be more").format(classes=count, names=counted(way.classes))
        if more
        else (f"{count}: {counted(way.classes)}")
    )


def _details(way: Offer | Other, place: Path, key: str, classes: list[str] | None) -> Reading | None:
    """What is left to say of the way that was chosen; None while it is not said."""
    if way == "class":
        label = st.selectbox(
            _("Their class"),
            classes or [],
            index=None,
            format_func=one_line,
            accept_new_options=True,
            placeholder=_("Choose a class, or type the name of a new one"),
            key=f"{key}-class",
        )
        return Reading("class", label=label) if label and label.strip() else None
    if way == "pattern":
        return _own_pattern("{class}_{number}", key)
    if way.reading.kind == "names" and way.reading.pattern:
        return _own_pattern(way.reading.pattern, key)
    if way.reading.kind == "table" and way.reading.columns:
        return replace(way.reading, columns=_columns(way.reading, place, key))
    return way.reading


def _own_pattern(text: str, key: str) -> Reading:
    from transfer_core.data.names import by_names

    written = st.text_input(
        _("Pattern of the file names"),
        value=text,
        key=f"{key}-pattern-{text}",
        help=plain(
            _("{class_} is the class, {number} stands for digits and {any} for anything; all else stands for itself.").format(
                class_="{class}", number="{number}", any="{any}"
            )
        ),
    )
    return by_names(written)


def _columns(reading: Reading, place: Path, key: str) -> Columns:
    """The columns of a table, to be changed where the guess was wrong."""
    known = reading.columns
    assert known is not None
    titles = _titles(str(place), reading.table or "", known.titles)
    none = _("(none)")

    def column(label: str, guessed: str | None, name: str, optional: bool = False) -> str | None:
        options = [none, *titles] if optional else titles
        index = options.index(guessed) if guessed in options else 0
        chosen = st.selectbox(label, options, index=index, format_func=one_line, key=f"{key}-{name}-{reading.table}")
        return None if chosen == none and optional else chosen

    with st.container(horizontal=True):
        file, label = column(_("Column of the file"), known.file, "file"), column(_("Column of the class"), known.label, "label")
        split = column(_("Column of the set"), known.split, "split", optional=True)
        group = column(_("Column of what belongs together"), known.group, "group", optional=True)
    return Columns(file or known.file, label or known.label, split, group, known.titles)


@st.cache_data(ttl=_LATER, max_entries=8, show_spinner=False)
def _titles(place: str, table: str, titles: bool) -> list[str]:
    from transfer_core.data.guess import open_table

    return open_table(Path(place), table, titles).titles


def _with_group(reading: Reading, key: str) -> Reading:
    """Ask, out of the way, for what must not be parted; most pictures have no such thing."""
    if reading.kind == "table":  # it has a column for it, or none
        return reading
    with st.expander(_("Several pictures of one thing or person?"), icon=":material/group_work:", key=f"{key}-group-area"):
        st.caption(
            _(
                "Pictures of one patient, one device or one animal must not be learned from and tested on at once: the result would look "
                "better than it is. Where the file names say what belongs together, write how."
            )
        )
        written = st.text_input(
            _("Pattern for what belongs together"), placeholder="{group}_{number}", key=f"{key}-group"
        ).strip()
    if not written:
        return reading
    from transfer_core.data.names import check_pattern

    check_pattern(written, "group")
    return replace(reading, group=written)


def _say(offer: Offer, more: bool) -> None:
    """The classes that a reading gives, with their counts."""
    from transfer_core.data.guess import counted

    if not offer.classes:
        st.warning(_("No picture gets a class this way."), icon=":material/lightbulb:")
        return
    count = words.pictures(offer.pictures)
    count = _("{count} of those that were looked at").format(count=count) if more else count
    st.markdown(f"**{plain(words.classes(len(offer.classes)))}**, {plain(count)}: {plain(counted(offer.classes, 12))}")


def show_pictures(place: Path, offer: Offer) -> None:
    """Draw some pictures with the class that each would have; of an archive, which is packed, their names alone."""
    from transfer_core.data.guess import example_files

    files = example_files(place, offer)
    if not files:
        st.code("\n".join(f"{one_line(file)}  →  {one_line(label)}" for file, label in offer.examples), language=None)
        return
    images = pictures.thumbnails(_folder(), [(path, None) for path, _name, _label in files], 128)
    tiles = [gallery.Tile(image, label, name, alt=label) for image, (_path, name, label) in zip(images, files, strict=True)]
    gallery.draw(tiles, _("Pictures and the class that each would have"))


def _folder() -> Path:
    """Where thumbnails of pictures lie that no project has yet; it goes when the browser's tab does."""
    if _THUMBNAILS not in st.session_state:
        st.session_state[_THUMBNAILS] = tempfile.TemporaryDirectory(prefix="transfer-studio-")
    return Path(st.session_state[_THUMBNAILS].name)
