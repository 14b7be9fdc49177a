"""How the pictures of a project are divided, in sentences."""

from __future__ import annotations

from transfer_core.data.project import Project
from transfer_core.data.split import MOST_CROSS_VALIDATED
from transfer_core.i18n import _, ngettext


def division(project: Project) -> list[str]:
    """What is learnt from, what checks and what tests, and why so; a sentence each."""
    table = project.table
    counts = {split: table.count(split=split) for split in ("train", "val", "test")}
    with table.connect() as connection:
        query = "SELECT DISTINCT given_split FROM samples WHERE state = 'in' AND given_split IS NOT NULL"
        given = {row[0] for row in connection.execute(query)}
        query = "SELECT count(*) FROM (SELECT grouping FROM samples WHERE state = 'in' GROUP BY grouping HAVING count(*) > 1)"
        groups = int(connection.execute(query).fetchone()[0])
    return [
        _tested(counts["test"], "test" in given),
        _checked(counts["train"], counts["val"], "val" in given),
        *([_together(groups)] if groups else []),
    ]


def _tested(count: int, given: bool) -> str:
    if not count:
        return _("No picture is kept for testing: what a model gets right is told by pictures that checked it while it learned.")
    words = ngettext(
        "{count} picture is kept for testing: a model is asked about it once, at the end.",
        "{count} pictures are kept for testing: a model is asked about them once, at the end.",
        count,
    ).format(count=f"{count:,}")
    return " ".join(
        [words, _("They are those of your test folder.") if given else _("They were drawn by lot, some of every class.")]
    )


def _checked(train: int, val: int, given: bool) -> str:
    if given:
        return ngettext(
            "{count} picture, that of your validation folder, checks what is learnt from the others.",
            "{count} pictures, those of your validation folder, check what is learnt from the others.",
            val,
        ).format(count=f"{val:,}")
    if train + val > MOST_CROSS_VALIDATED:
        return ngettext(
            "{count} picture checks what is learnt from the others.",
            "{count} pictures check what is learnt from the others.",
            val,
        ).format(count=f"{val:,}")
    return _(
        "The other {count} check each other: five times over, a fifth of them is held back and asked about (cross-validation). "
        "So few as a fifth alone would tell too little. Training the network itself holds {val} of them back instead."
    ).format(count=f"{train + val:,}", val=f"{val:,}")


def _together(groups: int) -> str:
    return ngettext(
        "{count} group of pictures belongs together, such as copies or pictures taken in one go: it is never parted.",
        "{count} groups of pictures belong together, such as copies or pictures taken in one go: they are never parted.",
        groups,
    ).format(count=f"{groups:,}")
