"""What the heads cost, said beside their choice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pages.ui import words
from transfer_core.advice.depths import Task
from transfer_core.i18n import _
from transfer_core.models.head_cost import HeadCost, head_cost
from transfer_core.training.settings import RunSettings


def cost(kind: str, settings: RunSettings, task: Task) -> HeadCost:
    """What a head of this kind, otherwise of the settings, costs."""
    return head_cost(kind, task.info.feature_count, task.amount.classes, (settings.hidden_width,))


def named(settings: RunSettings, task: Task, name: Callable[[Any], str]) -> Callable[[Any], str]:
    """The names of the heads, each with its number of parameters."""
    return lambda kind: f"{name(kind)} · {words.brief_count(cost(kind, settings, task).parameters)}"


def sentence(settings: RunSettings, task: Task) -> str:
    """What the chosen head costs."""
    chosen = cost(settings.head, settings, task)
    return _("This head: {count} parameters, and {share} of the backbone's work for a picture.").format(
        count=f"{chosen.parameters:,}", share=words.percent(chosen.multiply_adds / max(1.0, task.info.multiply_adds * 1e9), 2)
    )
