"""How long a plan will take here, before anything starts: by the backbone's speed on this computer. No torch."""

from __future__ import annotations

from dataclasses import dataclass

from transfer_core.advice.depths import FORWARD_AND_BACKWARD, TORCH, Task
from transfer_core.advice.speed import Speed
from transfer_core.training.folds import FOLDS
from transfer_core.training.recipe import FULL, RECIPE
from transfer_core.training.settings import Plan


@dataclass(frozen=True)
class PlanTime:
    """Seconds of a plan, and those of them that only its first training on the same pictures takes."""

    total: float
    once: float


def plan_time(plan: Plan, task: Task, forward: Speed) -> PlanTime | None:
    """What `plan` takes for the pictures of `task`; None for custom, and where the backbone's stages are not known.

    `forward` is the frozen backbone's speed. The run itself measures better than this, once the pictures are read.
    """
    pictures, stages = task.amount.train + task.amount.val, task.info.stages
    a_pass = 1 / max(forward.images_per_second, 1e-9)  # of a picture, frozen
    features = pictures * a_pass
    if plan == "quick":
        return PlanTime(features, features)
    if plan == "custom" or not stages:
        return None
    boundary = RECIPE.boundary(stages, len(stages))
    share = sum(stage.multiply_adds for stage in stages[boundary:]) / sum(stage.multiply_adds for stage in stages)
    # Views are smaller than what prediction sees, and are passed through both parts.
    smaller = (RECIPE.size_for(task.info, task.info.crop) / task.info.crop) ** 2
    views = smaller * RECIPE.views_for(pictures, 0) * pictures * (1 - share) * a_pass if boundary else 0.0
    learned = a_pass / TORCH * FORWARD_AND_BACKWARD  # a picture, by the whole network
    tried = pictures - pictures // FOLDS  # first without those of one fold, then with all
    seen = RECIPE.epochs_for(tried, "trial") * tried + RECIPE.epochs_for(pictures, "rest") * pictures
    tail = smaller * share * learned * seen
    total = features + (views + tail if boundary else 0.0)
    if plan == "best":
        total += learned * (FULL.epochs_for(tried, "trial") * tried + FULL.epochs_for(pictures, "rest") * pictures)
    return PlanTime(total, features + views)
