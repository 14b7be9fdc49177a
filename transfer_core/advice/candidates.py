"""What a choice is made among: backbones with their weights and a view. No torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from transfer_core.advice.front import undominated
from transfer_core.advice.speed import Work, speed
from transfer_core.backbones.catalogue import BackboneInfo, catalogue
from transfer_core.backbones.weights import KeptWeights, kept_published, kept_weights
from transfer_core.features.extract import Forward
from transfer_core.i18n import _
from transfer_core.images.view import View


@dataclass(frozen=True)
class Candidate:
    """A backbone with one set of weights at one size, as a later run would use it.

    `kept` is None where the weights would have to be fetched. `accuracy` is the published one, percent, of these very weights at this very
    size; None for all else. `multiply_adds` are those of one picture of this view, in units of 10^9. `make(threads)` gives the frozen pass
    where that is not the graph of the kept weights, as for a part of a network; such a pass has a `backbone` of its own, because
    features are kept under that name.
    """

    label: str
    backbone: str
    family: str
    view: View
    feature_count: int
    multiply_adds: float
    file_size: int
    kept: KeptWeights | None = None
    accuracy: float | None = None
    commercial: bool = True
    make: Callable[[int], Forward] | None = None

    @property
    def work(self) -> Work:
        """What a picture costs."""
        return Work(self.backbone, self.family, self.view.crop, self.multiply_adds)

    @property
    def key(self) -> str:
        """What this candidate's features, and so its scores, depend on beside the pictures."""
        digest = self.kept.digest[:16] if self.kept else ""
        return f"{self.backbone}-{digest}-{self.view.key}-crop{self.view.crop}"


def candidate(info: BackboneInfo, kept: KeptWeights | None) -> Candidate:
    """The backbone at its own size, with `kept` weights or those that would be fetched."""
    published = kept is None or kept == kept_published(info)
    label = info.title
    if kept is not None and not published:
        label = _("{name} ({source})").format(name=info.title, source=kept.source)
    return Candidate(
        label=label,
        backbone=info.name,
        family=info.family,
        view=info.view,
        feature_count=info.feature_count,
        multiply_adds=info.multiply_adds,
        file_size=info.file_size,
        kept=kept,
        accuracy=info.accuracy if published else None,
        commercial=info.may_be_recommended,
    )


def at_size(whole: Candidate, size: int) -> Candidate:
    """The same network on pictures of `size` pixels a side; its published accuracy is not that of this size."""
    share = size / whole.view.crop
    border = round((whole.view.resize - whole.view.crop) / 2 * share)
    return replace(
        whole,
        label=_("{name} at {size} pixels").format(name=whole.label, size=size),
        view=View(size, size + 2 * border),
        multiply_adds=whole.multiply_adds * share**2,
        accuracy=None if size != whole.view.crop else whole.accuracy,
    )


def candidates(download: bool = False, threads: int = 1) -> list[Candidate]:
    """All weights that are here, each with its backbone; with `download` also the sensible ones among those that may be fetched.

    Sensible is what may be recommended, and what no other beats in published accuracy without taking longer here, on `threads` threads:
    nobody wants ten gigabytes fetched to be told that most of them were not worth it.
    """
    known = catalogue()
    # Weights may be here that a newer program brought, of a backbone that this one does not know.
    here = [candidate(known[kept.backbone], kept) for kept in kept_weights() if kept.backbone in known]
    if not download:
        return here
    names = {each.backbone for each in here}
    published = [candidate(info, None) for info in known.values() if info.weights]
    free = [each for each in published if each.commercial and each.accuracy is not None]
    sensible = undominated(free, lambda each: 1 / speed(each.work, threads).images_per_second, lambda each: each.accuracy or 0.0)
    return here + [each for each in sensible if each.backbone not in names]
