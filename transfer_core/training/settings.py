"""The settings of a run: one typed model that the form, `config.toml`, `--set` and the docs are drawn from."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

import tomlkit
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from transfer_core.backbones.catalogue import BackboneInfo
from transfer_core.errors import SettingsError
from transfer_core.files import write_text
from transfer_core.i18n import _
from transfer_core.training.recipe import RECIPE

Plan = Literal["quick", "better", "custom"]
FreezeWord = Literal["all", "last-stage", "none"]
FreezeDepth = FreezeWord | int  # a number: so many stages from the first on
HeadKind = Literal["linear", "logistic", "mlp", "cosine", "prototype"]
Device = Literal["auto", "cpu", "cuda"]


class RunSettings(BaseModel):
    """All that repeating a run needs, beside the project's pictures."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True)

    plan: Plan = Field(
        "quick",
        description="quick fits a head on frozen features in seconds; better then trains the last stages, and keeps what proves "
        "better; custom trains by the settings below.",
    )
    backbone: str = Field("starter", description="The pretrained network to start from.", max_length=100)
    weights: str | None = Field(
        None, description="A file with the backbone's parameters, in place of the kept or downloaded ones."
    )
    freeze: FreezeWord | Annotated[int, Field(ge=0, le=50)] = Field(
        "last-stage",
        description="What stays as it was pretrained: all of the backbone, all but its last stage, nothing, or so many stages from "
        "the first on.",
        json_schema_extra={"needs": {"plan": "custom"}},
    )
    head: HeadKind = Field(
        "linear",
        description="What maps features to classes: linear learns from nothing, logistic begins where a solver ends, mlp has a hidden "
        "layer, cosine goes by angles alone, prototype by the nearest class mean.",
        json_schema_extra={"needs": {"plan": "custom"}},
    )
    hidden_width: int = Field(
        256,
        ge=8,
        le=4096,
        description="How many units the hidden layer has.",
        json_schema_extra={"needs": {"plan": "custom", "head": "mlp"}},
    )
    dropout: float = Field(
        0.2,
        ge=0,
        le=0.9,
        description="Which share of the hidden units is left out at random in each step, so that none is relied on.",
        json_schema_extra={"needs": {"plan": "custom", "head": "mlp"}},
    )
    epochs: int = Field(
        10,
        ge=1,
        le=1000,
        description="How often training goes through all pictures.",
        json_schema_extra={"needs": {"plan": "custom"}},
    )
    learning_rate: float = Field(
        1e-3,
        gt=0,
        le=1,
        description="How large each step is; too large and the loss jumps, too small and nothing moves.",
        json_schema_extra={"needs": {"plan": "custom"}},
    )
    batch_size: int = Field(
        32,
        ge=2,
        le=1024,
        description="How many pictures are looked at between two steps.",
        json_schema_extra={"needs": {"plan": "custom"}},
    )
    augment: bool = Field(
        True,
        description="Show each picture cropped, flipped and lit a little differently every time.",
        json_schema_extra={"needs": {"plan": "custom"}},
    )
    device: Device = Field("auto", description="Where to train: the graphics card if there is one, or the processor.")
    threads: int = Field(0, ge=0, le=1024, description="Processor cores to use; 0 takes all.")
    seed: int = Field(0, ge=0, le=2**31 - 1, description="Where chance starts from; the same seed gives the same model.")

    @classmethod
    def check(cls, values: dict[str, Any]) -> RunSettings:
        """Settings from plain `values`; raises SettingsError telling every problem at once, each with its field."""
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            problems = [
                _("{field}: {problem}, got {value!r}").format(field=field, problem=problem, value=value)
                for field, (problem, value) in _by_field(error).items()
            ]
            raise SettingsError(
                _("These settings don't fit: {problems}.").format(problems="; ".join(problems)),
                fix=_("Known settings: {names}.").format(names=", ".join(cls.model_fields)),
            ) from error

    @property
    def planned_epochs(self) -> int:
        """How many epochs the plan has at most; 0 for one that has none."""
        return {"quick": 0, "better": 2 * RECIPE.epochs, "custom": self.epochs}[self.plan]

    def check_depth(self, info: BackboneInfo) -> None:
        """Raise SettingsError where more stages of the backbone are to stay frozen than it has, as far as they are known."""
        count = len(info.stages)
        if self.plan == "custom" and count and isinstance(self.freeze, int) and self.freeze > count:
            raise SettingsError(
                _("freeze: {backbone} has {count} stages, so {number} of them can't stay frozen.").format(
                    backbone=info.title, count=count, number=self.freeze
                ),
                code="too-deep",
                fix=_("Set freeze to a number from 0 to {count}, or to all, last-stage or none.").format(count=count),
            )

    @classmethod
    def read(cls, path: Path) -> RunSettings:
        """The settings in a TOML file; raises SettingsError naming the file or the field."""
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise SettingsError(_("{file} can't be read: {reason}.").format(file=path, reason=error), file=path) from error
        return cls.check(values)

    def write(self, path: Path) -> None:
        """Write the settings as TOML, each with its description as a comment."""
        document = tomlkit.document()
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            if value is None:
                continue
            document.add(tomlkit.comment(field.description or ""))
            document.add(name, value)
        write_text(path, tomlkit.dumps(document))


def _by_field(error: ValidationError) -> dict[str, tuple[str, Any]]:
    """What is wrong with each field, and what was given: one that takes a word or a number is told once, with both ways."""
    problems: dict[str, tuple[str, Any]] = {}
    for item in error.errors():
        field = str(item["loc"][0]) if item["loc"] else "?"
        before = problems.get(field)
        problems[field] = (f"{before[0]}; {item['msg']}" if before else item["msg"], item["input"])
    return problems
