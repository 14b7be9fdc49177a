"""The settings of a run: one typed model that the form, `config.toml`, `--set` and the docs are drawn from."""

from __future__ import annotations

import tomllib
from dataclasses import fields, replace
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import tomlkit
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from transfer_core.backbones.catalogue import BackboneInfo
from transfer_core.errors import SettingsError
from transfer_core.files import write_text
from transfer_core.i18n import _
from transfer_core.images.augmentation import PRESETS, RANGES, Augmentation, Preset
from transfer_core.training.conflicts import Conflict, find_conflicts
from transfer_core.training.recipe import FULL, RECIPE

Plan = Literal["quick", "better", "best", "custom"]
FreezeWord = Literal["all", "last-stage", "none"]
FreezeDepth = FreezeWord | int  # a number: so many stages from the first on
HeadKind = Literal["linear", "logistic", "mlp", "cosine", "prototype"]
Optimiser = Literal["adamw", "sgd", "adam", "nadam", "radam", "rmsprop", "adagrad", "adamax", "adadelta"]
Schedule = Literal["cosine", "one-cycle", "step", "constant"]
Balance = Literal["none", "weights", "sampling"]
Device = Literal["auto", "cpu", "cuda"]
Precision = Literal["auto", "float32", "bf16", "fp16"]
# The parts of the form and of `config.toml`, in their order.
Group = Literal["plan", "network", "steps", "length", "regularisation", "pictures", "switches", "computer"]


def _about(group: Group, **needs: str) -> dict[str, Any]:
    """What the form and the file need to know of a field: its group, and the settings without which it does nothing."""
    return {"group": group, "needs": needs}


def _custom(group: Group, **needs: str) -> dict[str, Any]:
    return _about(group, plan="custom", **needs)


def _switch(description: str, least: float | None = None, most: float | None = None) -> Any:
    """A single switch of the augmentation; without a value the preset decides."""
    return Field(None, ge=least, le=most, description=description, json_schema_extra=_custom("switches"))


class RunSettings(BaseModel):
    """All that repeating a run needs, beside the project's pictures."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True)

    plan: Plan = Field(
        "quick",
        description="quick fits a head on frozen features in seconds; better then trains the last stages, and keeps what proves "
        "better; best goes on to train all of them; custom trains by the settings below.",
        json_schema_extra=_about("plan"),
    )
    backbone: str = Field(
        "starter", description="The pretrained network to start from.", max_length=100, json_schema_extra=_about("plan")
    )
    weights: str | None = Field(
        None,
        description="A file with the backbone's parameters, in place of the kept or downloaded ones.",
        json_schema_extra=_about("plan"),
    )
    freeze: FreezeWord | Annotated[int, Field(ge=0, le=50)] = Field(
        "last-stage",
        description="What stays as it was pretrained: all of the backbone, all but its last stage, nothing, or so many stages from "
        "the first on.",
        json_schema_extra=_custom("network"),
    )
    unfreeze_every: int = Field(
        0,
        ge=0,
        le=1000,
        description="Begin with the head alone, and let one more stage learn every so many epochs, from the last on; 0 lets all of "
        "them learn from the start.",
        json_schema_extra=_custom("network"),
    )
    head: HeadKind = Field(
        "linear",
        description="What maps features to classes: linear learns from nothing, logistic begins where a solver ends, mlp has a hidden "
        "layer, cosine goes by angles alone, prototype by the nearest class mean.",
        json_schema_extra=_custom("network"),
    )
    hidden_width: int = Field(
        256,
        ge=8,
        le=4096,
        description="How many units the hidden layer has.",
        json_schema_extra=_custom("network", head="mlp"),
    )
    dropout: float = Field(
        0.2,
        ge=0,
        le=0.9,
        description="Which share of the hidden units is left out at random in each step, so that none is relied on.",
        json_schema_extra=_custom("network", head="mlp"),
    )
    optimiser: Optimiser = Field(
        "adamw",
        description="How steps are made from gradients. AdamW suits nearly everything; SGD (with momentum) wants a rate ten to a "
        "hundred times as large.",
        json_schema_extra=_custom("steps"),
    )
    learning_rate: float = Field(
        1e-3,
        gt=0,
        le=10,
        description="How large each step of the head is; too large and the loss jumps, too small and nothing moves.",
        json_schema_extra=_custom("steps"),
    )
    backbone_rate: float = Field(
        0.1,
        gt=0,
        le=1,
        description="The rate of the backbone's last stage, as a share of the head's: the backbone knows much already.",
        json_schema_extra=_custom("steps"),
    )
    layer_decay: float = Field(
        1.0,
        gt=0,
        le=1,
        description="The rate of each stage, as a share of the next one's: below 1, early stages, which see edges and colours, change "
        "less.",
        json_schema_extra=_custom("steps"),
    )
    schedule: Schedule = Field(
        "cosine",
        description="How the rate changes over the training: cosine falls smoothly to nothing, one-cycle rises for a third and then "
        "falls, step divides it by ten twice, constant keeps it.",
        json_schema_extra=_custom("steps"),
    )
    warm_up: float = Field(
        0.05,
        ge=0,
        le=0.9,
        description="Which share of all steps the rate takes to rise to its full height; the schedule one-cycle has a rise of its own.",
        json_schema_extra=_custom("steps"),
    )
    batch_size: int = Field(
        32,
        ge=0,
        le=4096,
        description="How many pictures are looked at between two steps; 0 chooses by the device and the number of pictures.",
        json_schema_extra=_custom("steps"),
    )
    accumulate: int = Field(
        1,
        ge=1,
        le=256,
        description="How many batches make one step: as a batch so many times as large, in the memory of one.",
        json_schema_extra=_custom("steps"),
    )
    clip: float = Field(
        0.0,
        ge=0,
        le=1000,
        description="The longest a gradient may be; longer ones are shortened to it. 0 leaves them as they are.",
        json_schema_extra=_custom("steps"),
    )
    epochs: int = Field(
        10,
        ge=1,
        le=1000,
        description="How often training goes through all pictures.",
        json_schema_extra=_custom("length"),
    )
    steps: int = Field(
        0,
        ge=0,
        le=10_000_000,
        description="How many steps to train, whatever the epochs say; 0 goes by the epochs.",
        json_schema_extra=_custom("length"),
    )
    minutes: float = Field(
        0.0,
        ge=0,
        le=100_000,
        description="How long to train on this computer, whatever the epochs say: the steps that fit are measured before the first. "
        "0 goes by the epochs.",
        json_schema_extra=_custom("length"),
    )
    patience: int = Field(
        0,
        ge=0,
        le=1000,
        description="End early after so many epochs in which the validation loss reached no new low; 0 goes on to the end.",
        json_schema_extra=_custom("length"),
    )
    weight_decay: float = Field(
        0.01,
        ge=0,
        le=1,
        description="How strongly parameters are drawn towards zero, which keeps them from fitting single pictures.",
        json_schema_extra=_custom("regularisation"),
    )
    start_pull: float = Field(
        0.0,
        ge=0,
        le=1,
        description="How strongly the backbone's parameters are drawn towards what they were pretrained to (L2-SP).",
        json_schema_extra=_custom("regularisation"),
    )
    label_smoothing: float = Field(
        0.0,
        ge=0,
        le=0.9,
        description="How much of each label is spread over all classes, so that training does not ask for certainty.",
        json_schema_extra=_custom("regularisation"),
    )
    mixup: float = Field(
        0.0,
        ge=0,
        le=2,
        description="Blend pairs of pictures, and their labels alike; larger blends more evenly, 0 does not, 0.2 is usual.",
        json_schema_extra=_custom("regularisation"),
    )
    cutmix: float = Field(
        0.0,
        ge=0,
        le=2,
        description="Paste a rectangle of another picture into each, and mix their labels by its area; 0 does not, 1 is usual.",
        json_schema_extra=_custom("regularisation"),
    )
    average: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Score and keep a moving average of the parameters with this memory, such as 0.99, in place of the last ones; 0 "
        "does not.",
        json_schema_extra=_custom("regularisation"),
    )
    balance: Balance = Field(
        "none",
        description="What is done for classes with few pictures: nothing, weights make each of their pictures count more, sampling "
        "shows them more often.",
        json_schema_extra=_custom("regularisation"),
    )
    augmentation: Preset = Field(
        "gentle",
        description="How each picture is varied every time it is shown, so that the network learns what does not matter.",
        json_schema_extra=_custom("pictures"),
    )
    area: float | None = _switch("The smallest share of the picture that a cut-out keeps.", *RANGES["area"])
    aspect: float | None = _switch("The largest stretch of width against height, or the other way.", *RANGES["aspect"])
    mirror: bool | None = _switch("Exchange left and right, half of the time.")
    upside_down: bool | None = _switch("Exchange top and bottom, half of the time.")
    quarter_turns: bool | None = _switch("Turn by none, one, two or three quarters, each as often.")
    rotate: float | None = _switch("Turn by so many degrees at most, either way.", *RANGES["rotate"])
    light: float | None = _switch("Change brightness and contrast by this share at most.", *RANGES["light"])
    colour: float | None = _switch("Change the colours by this share at most.", *RANGES["colour"])
    grey: float | None = _switch("The chance to be shown without colour.", *RANGES["grey"])
    blur: float | None = _switch("The chance to be blurred.", *RANGES["blur"])
    noise: float | None = _switch("The most noise that is added, as a share of the way from black to white.", *RANGES["noise"])
    erase: float | None = _switch("The chance that a rectangle of the picture is blanked.", *RANGES["erase"])
    perspective: float | None = _switch("How much shorter one side may look than the one across from it.", *RANGES["perspective"])
    image_size: int = Field(
        0,
        ge=0,
        le=1024,
        description="How many pixels a side the network sees: more shows finer things and takes longer by the square; 0 takes what the "
        "backbone was pretrained with.",
        json_schema_extra=_custom("pictures"),
    )
    device: Device = Field(
        "auto",
        description="Where to train: the graphics card if there is one, or the processor.",
        json_schema_extra=_about("computer"),
    )
    precision: Precision = Field(
        "auto",
        description="How exactly the network computes while it is trained: bf16 and fp16 are faster on graphics cards that have them; "
        "auto takes bf16 there, and float32 on processors.",
        json_schema_extra=_custom("computer"),
    )
    threads: int = Field(
        0, ge=0, le=1024, description="Processor cores to use; 0 takes all.", json_schema_extra=_about("computer")
    )
    processes: int = Field(
        0,
        ge=0,
        le=64,
        description="How many processes train together, each on a share of every batch; 0 takes one for each graphics card, or one.",
        json_schema_extra=_custom("computer"),
    )
    seed: int = Field(
        0,
        ge=0,
        le=2**31 - 1,
        description="Where chance starts from; the same seed gives the same model.",
        json_schema_extra=_about("computer"),
    )

    @model_validator(mode="before")
    @classmethod
    def _of_earlier_versions(cls, values: Any) -> Any:
        """Settings as files of earlier versions name them: `augment` said only whether."""
        if isinstance(values, dict) and "augment" in values:
            values = dict(values)
            given = values.pop("augment")
            values.setdefault("augmentation", "none" if given in (False, "false", "no", 0, "0") else "gentle")
        return values

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
        tail, full = (recipe.epochs_for(1, "trial") + recipe.epochs_for(1, "rest") for recipe in (RECIPE, FULL))
        return {"quick": 0, "better": tail, "best": tail + full, "custom": self.epochs}[self.plan]

    @property
    def varied(self) -> Augmentation:
        """What is done to training pictures: the preset, with the switches that were set singly."""
        own = {field.name: getattr(self, field.name) for field in fields(Augmentation)}
        return replace(PRESETS[self.augmentation], **{name: value for name, value in own.items() if value is not None})

    def applies(self, name: str) -> bool:
        """Whether the setting `name` has any effect beside the others."""
        return all(getattr(self, other) == value for other, value in about(name)["needs"].items())

    def conflicts(self, info: BackboneInfo) -> list[Conflict]:
        """What of these settings does not go together, or with the backbone, as far as it is known."""
        return find_conflicts(self, info)

    def check_fit(self, info: BackboneInfo) -> None:
        """Raise SettingsError telling every conflict at once, each with its cure."""
        found = self.conflicts(info)
        if found:
            raise SettingsError(
                " ".join(f"{conflict.field}: {conflict.problem}" for conflict in found),
                code=found[0].code if len(found) == 1 else "settings-conflict",
                fix=" ".join(dict.fromkeys(conflict.cure for conflict in found)),
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
        for group in get_args(Group):
            document.add(tomlkit.comment(f"--- {group} ---"))
            for name in fields_of(group):
                value = getattr(self, name)
                if value is not None:
                    document.add(tomlkit.comment(type(self).model_fields[name].description or ""))
                    document.add(name, value)
            document.add(tomlkit.nl())
        write_text(path, tomlkit.dumps(document))


def about(name: str) -> dict[str, Any]:
    """The group of a setting, and the values of others that it needs to have any effect."""
    extra = RunSettings.model_fields[name].json_schema_extra
    return extra if isinstance(extra, dict) else {}


def fields_of(group: Group) -> list[str]:
    """The settings of a group, in their order."""
    return [name for name in RunSettings.model_fields if about(name)["group"] == group]


def _by_field(error: ValidationError) -> dict[str, tuple[str, Any]]:
    """What is wrong with each field, and what was given: one that takes a word or a number is told once, with both ways."""
    problems: dict[str, tuple[str, Any]] = {}
    for item in error.errors():
        field = str(item["loc"][0]) if item["loc"] else "?"
        before = problems.get(field)
        problems[field] = (f"{before[0]}; {item['msg']}" if before else item["msg"], item["input"])
    return problems
