"""Room on the disk for what a run keeps: the user's budget first, then what is free; older stores make way."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from transfer_core.data import caches
from transfer_core.errors import StorageError
from transfer_core.i18n import _
from transfer_core.rows import RowStore
from transfer_core.training.context import Context

if TYPE_CHECKING:
    from transfer_core.training.prepare import Prepared


def make_room(context: Context, need: int) -> None:
    """Free older stores for `need` bytes more; where the budget is too small even so, it is told, and the run takes what it needs."""
    over = caches.make_room(need) if need else 0
    if over:
        context.emit(
            "notice",
            message=_(
                "This run keeps {need} MB more on the disk, which is {over} MB over what may be kept there. "
                "What was used longest ago is freed when it ends. The Settings page has the size."
            ).format(need=need // 2**20 + 1, over=over // 2**20 + 1),
        )


def check_space(store: RowStore, rows: int, told: str) -> None:
    """Raise StorageError before the work begins when the disk can't hold so many more rows; `told` says what `need` and `free` are."""
    need, free = rows * store.row_bytes, shutil.disk_usage(store.folder).free
    if need > free:
        raise StorageError(
            told.format(need=need // 2**20 + 1, free=free // 2**20),
            code="disk-full",
            file=store.folder,
            fix=_("Free some space on this disk, or set TRANSFER_STUDIO_HOME to a folder on a larger one; then resume the run."),
        )


def views_that_fit(prepared: Prepared, store: RowStore, pictures: int, wanted: int) -> int:
    """How many views of each picture are kept: settled once, as the result depends on it; told where fewer than `wanted` fit."""
    context, choices = prepared.context, prepared.choices
    if choices.views:
        return choices.views
    views = max(1, min(wanted, caches.room_beside(store.folder) // max(1, pictures * store.row_bytes)))
    if views < wanted:
        context.emit(
            "notice",
            message=_(
                "Views of each picture that are kept: {count} in place of {wanted}. "
                "No more fit into the {budget} GB that may be kept on the disk."
            ).format(count=views, wanted=wanted, budget=f"{caches.budget() / caches.GIGABYTE:.1f}"),
        )
    prepared.settle(views=views)
    return views
