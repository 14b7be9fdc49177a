"""How the plan better trains: what measuring settled (docs/decisions/2026-11-27-better.md). Without torch, for pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from transfer_core.backbones.catalogue import BackboneInfo
from transfer_core.backbones.stage_facts import StageFacts
from transfer_core.backbones.stages import takes_one_size

if TYPE_CHECKING:
    from transfer_core.training.settings import RunSettings

# One training with all epochs; or a trial without the pictures held out, and the rest, which goes on from there with all pictures.
Span = Literal["all", "trial", "rest"]


@dataclass(frozen=True)
class Recipe:
    """The last stages, trained from kept views of each picture; then how much of what they learnt is taken."""

    share: float = (
        0.38  # of the multiply-adds, at most, that the trained stages have; the last stage is trained whatever it costs
    )
    views: int = 6  # of each picture at most: as it is, then cropped, mirrored and lit differently
    views_an_epoch: float = 2 / 3  # a large set is gone through less often, and more views would hardly be seen
    # Of the size that prediction sees, that the views have. Cut-outs show things larger than whole pictures do, so smaller ones show
    # them as large as prediction sees them (FixRes: Touvron et al., 2019), and take less time by the square of it.
    size_share: float = 6 / 7
    epochs: int = 12  # at most, of a small set
    enough: int = 6_000  # pictures in one training: sets of more than 500 need fewer epochs for that
    least: int = 4  # epochs, until `most_seen`
    trial_share: float = 0.5  # of the epochs
    rest_share: float = 0.75  # of the epochs: half of them are too few for SqueezeNet
    rate: float = 2e-4  # of head and stages alike: twice as much ruined small sets, half won less on large ones
    weight_decay: float = 0.01
    batch_size: int = 32
    blends: tuple[float, ...] = (0.0, 0.5, 1.0)  # how far from the quick model's parameters to the trained ones
    most_seen: int = 60_000  # pictures in one training, whatever the epochs
    most_bytes: int = 8 * 2**30  # on the disk, for the views

    def epochs_for(self, pictures: int, span: Span = "all") -> int:
        """How often training goes through so many pictures."""
        pictures = max(1, pictures)
        epochs = min(max(self.least, round(self.enough / pictures)), self.epochs, self.most_seen // pictures)
        return _spanned(epochs, self.trial_share, self.rest_share, span)

    def settings(self, run: RunSettings, pictures: int, span: Span) -> RunSettings:
        """The same as settings of a custom training on so many pictures, in a run with the settings `run`."""
        return _custom(
            run,
            learning_rate=self.rate,
            backbone_rate=1.0,
            weight_decay=self.weight_decay,
            batch_size=self.batch_size,
            epochs=self.epochs_for(pictures, span),
        )

    def views_for(self, pictures: int, row_bytes: int) -> int:
        """How many views of each of so many pictures are kept: as many as training sees and the disk holds."""
        seen = round(self.views_an_epoch * self.epochs_for(pictures))
        return max(1, min(self.views, seen, self.most_bytes // max(1, pictures * row_bytes)))

    def size_for(self, info: BackboneInfo, size: int) -> int:
        """Pixels a side of the views, where the network sees `size`: a multiple of 32, as networks halve pictures five times."""
        smaller = 32 * round(self.size_share * size / 32)
        return size if takes_one_size(info) or smaller < info.minimum_size else min(smaller, size)

    def boundary(self, stages: Sequence[StageFacts], count: int) -> int:
        """How many of the `count` stages stay frozen: as few as leave no more than `share` of the multiply-adds to train."""
        total = sum(stage.multiply_adds for stage in stages)
        trained, boundary = 0.0, count
        for stage in reversed(stages):
            trained += stage.multiply_adds
            if boundary < count and trained > self.share * total:
                break
            boundary -= 1
        return boundary if stages else max(0, count - 1)


@dataclass(frozen=True)
class FullRecipe:
    """All stages, trained from the pixel map after the last ones: short, and the slower the nearer a stage is to the picture."""

    epochs: int = 4
    trial_share: float = 1.0  # of the epochs: there is little to cut
    rest_share: float = 0.5
    rate: float = 1e-4
    layer_decay: float = 0.8
    weight_decay: float = 0.01
    batch_size: int = 32
    most_seen: int = 30_000  # pictures in one training

    def settings(self, run: RunSettings, pictures: int, span: Span) -> RunSettings:
        """The same as settings of a custom training on so many pictures."""
        return _custom(
            run,
            learning_rate=self.rate,
            backbone_rate=1.0,
            layer_decay=self.layer_decay,
            weight_decay=self.weight_decay,
            batch_size=self.batch_size,
            epochs=self.epochs_for(pictures, span),
        )

    def epochs_for(self, pictures: int, span: Span = "all") -> int:
        """How often training goes through so many pictures."""
        return _spanned(min(self.epochs, self.most_seen // max(1, pictures)), self.trial_share, self.rest_share, span)


def _spanned(epochs: int, trial_share: float, rest_share: float, span: Span) -> int:
    """Of the epochs those of a span, at least one."""
    return max(1, int(epochs * {"all": 1.0, "trial": trial_share, "rest": rest_share}[span]))


def _custom(run: RunSettings, **values: float) -> RunSettings:
    """A custom training where and by what chance `run` is: its other settings say nothing to the plans that need none."""
    computer = {name: getattr(run, name) for name in ("device", "precision", "threads", "seed")}
    return type(run).model_validate({"plan": "custom", "backbone": run.backbone, **computer, **values})


RECIPE = Recipe()
FULL = FullRecipe()
