"""What can be told of a setting from its field: its kind, its range and its group's title. Without torch, for pages and commands."""

from __future__ import annotations

import types
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic.fields import FieldInfo

from transfer_core.i18n import _
from transfer_core.training.settings import Group, RunSettings

Number = type[int] | type[float]


@dataclass(frozen=True)
class Facts:
    """The words a setting takes, the numbers, or both; one that takes neither and is no truth takes any text."""

    words: tuple[str, ...]
    number: Number | None
    truth: bool
    least: float | None
    most: float | None
    above: bool  # whether the least itself is out
    below: bool  # whether the most itself is out
    default: Any

    @property
    def allowed(self) -> str:
        """What may be written behind `key=`, for people."""
        words = [*self.words, *(("true", "false") if self.truth else ())]
        return "|".join([*words, *([self._span()] if self.number else ())]) or _("text")

    def _span(self) -> str:
        least, most = (str(limit).removesuffix(".0") for limit in (self.least, self.most))
        least = _("above {number}").format(number=least) if self.above else least
        most = _("below {number}").format(number=most) if self.below else most
        return _("{least} to {most}").format(least=least, most=most)


def facts(name: str) -> Facts:
    """The facts of the setting `name`."""
    info = RunSettings.model_fields[name]
    words, kinds, limits = _parts(info.annotation)
    number = next((kind for kind in (int, float) if kind in kinds), None)
    least = most = None
    above = below = False
    for limit in [*info.metadata, *limits]:
        if isinstance(limit, Ge | Gt):
            above = isinstance(limit, Gt)
            least = _as_number(limit.gt if isinstance(limit, Gt) else limit.ge)
        elif isinstance(limit, Le | Lt):
            below = isinstance(limit, Lt)
            most = _as_number(limit.lt if isinstance(limit, Lt) else limit.le)
    return Facts(words, number, bool in kinds, least, most, above, below, info.default)


def group_title(group: Group) -> str:
    """What a group of settings is called."""
    return {
        "plan": _("Plan"),
        "network": _("What learns"),
        "steps": _("How it learns"),
        "length": _("How long"),
        "regularisation": _("Against learning by heart"),
        "pictures": _("What training sees of the pictures"),
        "switches": _("Each change of the pictures by itself"),
        "computer": _("This computer"),
    }[group]


def _parts(annotation: Any) -> tuple[tuple[str, ...], list[Any], list[Any]]:
    """Words, types and limits of an annotation, whatever it is nested in."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return tuple(arguments), [], []
    if origin is Annotated:
        words, kinds, limits = _parts(arguments[0])
        fields = [argument for argument in arguments[1:] if isinstance(argument, FieldInfo)]
        return words, kinds, [*limits, *(limit for field in fields for limit in field.metadata)]
    if origin in (Union, types.UnionType):
        parts = [_parts(argument) for argument in arguments if argument is not type(None)]
        return (
            tuple(word for words, _kinds, _limits in parts for word in words),
            [kind for _words, kinds, _limits in parts for kind in kinds],
            [limit for _words, _kinds, limits in parts for limit in limits],
        )
    return (), [annotation], []


def _as_number(limit: Any) -> float:
    return limit if isinstance(limit, int | float) else float(str(limit))
