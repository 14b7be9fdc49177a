"""What the settings of a training are called, their values and their groups, for people."""

from __future__ import annotations

from typing import Any, get_args

from pages.ui.words import plain
from transfer_core.i18n import _, ngettext
from transfer_core.images.augmentation import title
from transfer_core.training.conflicts import Conflict
from transfer_core.training.settings import Group, RunSettings, fields_of

# These have places of their own: a choice at the top of the form, and the Backbone page.
ELSEWHERE = frozenset({"plan", "backbone", "weights"})
# Told of a training by hand even where they are as by default.
ALWAYS = ("freeze", "head", "learning_rate", "epochs")


def labels() -> dict[str, str]:
    """What the settings are called."""
    return {
        "plan": _("Plan"),
        "backbone": _("Backbone"),
        "weights": _("Weights"),
        "freeze": _("What stays frozen"),
        "unfreeze_every": _("Let stages learn one by one"),
        "head": _("Head"),
        "hidden_width": _("Units in the hidden layer"),
        "dropout": _("Dropout"),
        "optimiser": _("Optimiser"),
        "learning_rate": _("Learning rate"),
        "backbone_rate": _("Rate of the backbone"),
        "layer_decay": _("Rate from stage to stage"),
        "schedule": _("Schedule of the rate"),
        "warm_up": _("Warm-up"),
        "batch_size": _("Batch size"),
        "accumulate": _("Batches a step"),
        "clip": _("Longest gradient"),
        "epochs": _("Epochs"),
        "steps": _("Steps"),
        "minutes": _("Minutes"),
        "patience": _("Early stopping"),
        "weight_decay": _("Weight decay"),
        "start_pull": _("Pull to the start"),
        "label_smoothing": _("Label smoothing"),
        "mixup": _("Blend pictures (mixup)"),
        "cutmix": _("Paste pictures (CutMix)"),
        "average": _("Moving average"),
        "balance": _("Classes with few pictures"),
        "augmentation": _("Vary the pictures"),
        "area": _("Cut-out"),
        "aspect": _("Stretch"),
        "mirror": _("Mirror"),
        "upside_down": _("Upside down"),
        "quarter_turns": _("Quarter turns"),
        "rotate": _("Turn"),
        "light": _("Brightness and contrast"),
        "colour": _("Colours"),
        "grey": _("Without colour"),
        "blur": _("Blur"),
        "noise": _("Noise"),
        "erase": _("Blanked part"),
        "perspective": _("Perspective"),
        "image_size": _("Size of pictures"),
        "device": _("Device"),
        "precision": _("Precision"),
        "threads": _("Processor cores"),
        "processes": _("Processes"),
        "seed": _("Seed"),
    }


def label(name: str) -> str:
    """What a setting is called; one that has no name here yet is called by its own."""
    return labels().get(name, name.replace("_", " ").capitalize())


def choice(name: str, value: Any) -> str:
    """What a value of a setting is called."""
    if name == "augmentation":
        return title(str(value))
    if name == "freeze" and isinstance(value, int):
        return ngettext("The first stage", "The first {count} stages", value).format(count=value) if value else _("Nothing")
    return _choices().get((name, value), str(value))


def _choices() -> dict[tuple[str, str], str]:
    automatic = _("Choose for me")
    return {
        ("plan", "quick"): _("Quick"),
        ("plan", "custom"): _("Custom"),
        ("plan", "better"): _("Better"),
        ("plan", "best"): _("Best"),
        ("freeze", "all"): _("All of the backbone"),
        ("freeze", "last-stage"): _("All but its last stage"),
        ("freeze", "none"): _("Nothing"),
        ("head", "linear"): _("Linear, from nothing"),
        ("head", "logistic"): _("Linear, from a solver's solution"),
        ("head", "mlp"): _("With a hidden layer"),
        ("head", "cosine"): _("Cosine: by angles alone"),
        ("head", "prototype"): _("Nearest class mean"),
        ("optimiser", "adamw"): "AdamW",
        ("optimiser", "sgd"): _("SGD with momentum"),
        ("optimiser", "adam"): "Adam",
        ("optimiser", "nadam"): "NAdam",
        ("optimiser", "radam"): "RAdam",
        ("optimiser", "rmsprop"): "RMSprop",
        ("optimiser", "adagrad"): "Adagrad",
        ("optimiser", "adamax"): "Adamax",
        ("optimiser", "adadelta"): "Adadelta",
        ("schedule", "cosine"): _("Cosine: falls smoothly"),
        ("schedule", "one-cycle"): _("One cycle: rises, then falls"),
        ("schedule", "step"): _("In steps: a tenth, twice"),
        ("schedule", "constant"): _("Constant"),
        ("balance", "none"): _("Nothing is done"),
        ("balance", "weights"): _("Their pictures count more"),
        ("balance", "sampling"): _("Their pictures are shown more often"),
        ("device", "auto"): automatic,
        ("device", "cpu"): _("Processor"),
        ("device", "cuda"): _("Graphics card"),
        ("precision", "auto"): automatic,
        ("precision", "float32"): _("Full: float32"),
        ("precision", "bf16"): _("Half: bf16"),
        ("precision", "fp16"): _("Half: fp16"),
    }


def group_sentence(group: Group) -> str:
    """What a group of settings is about."""
    return {
        "plan": "",
        "network": _("How much of the pretrained network may change, and what then tells your classes apart."),
        "steps": _("Training looks at some pictures, changes what learns by a small step, and goes on with the next ones."),
        "length": _("By how often all pictures are gone through, by steps, or by the clock."),
        "regularisation": _(
            "A network can learn its pictures by heart, and then fails on others. These hold against it; as they are is a good start."
        ),
        "pictures": _("Pictures are varied each time they are shown, so that few of them teach as much as many would."),
        "switches": _("What says “as above” is as the choice above has it; a number is, where its field is left empty."),
        "computer": _("Where and how exactly is computed, and where chance starts from."),
    }[group]


def plan_sentence(plan: str) -> str:
    """What a plan does, for people."""
    return {
        "quick": _(
            "Looks at every picture once and learns to tell your classes apart. "
            "Ready in seconds to minutes, and often as good as it gets."
        ),
        "better": _(
            "Makes the quick model first, then trains the last part of the backbone on your pictures, and keeps that only where it "
            "proves better on pictures it did not learn from. Takes minutes."
        ),
        "best": _(
            "Does what Better does, then trains all of the backbone, and keeps of each only what proves better. Takes longest; worth it "
            "where every point counts."
        ),
        "custom": _(
            "Trains by the settings below, going through your pictures many times. Slower; for when you want to tune by hand."
        ),
    }.get(plan, "")


def value_text(name: str, value: Any) -> str:
    """A setting's value, for people."""
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    return f"{value:g}" if isinstance(value, float) else choice(name, value)


def changed(settings: RunSettings, names: list[str]) -> list[str]:
    """Which of the settings `names` have an effect and are not as by default, each as "name: value"; Markdown."""
    default = RunSettings()
    return [
        f"{label(name)}: {plain(value_text(name, getattr(settings, name)))}"
        for name in names
        if settings.applies(name)
        and (getattr(settings, name) != getattr(default, name) or (settings.plan == "custom" and name in ALWAYS))
    ]


def summary(settings: RunSettings) -> list[str]:
    """The settings that matter for these: what is not as by default, and of a training by hand the main ones; Markdown."""
    return changed(settings, [name for group in get_args(Group) for name in fields_of(group) if name not in ELSEWHERE])


def told(conflict: Conflict) -> str:
    """A conflict and its cure in a sentence or two, settings called as on the page; Markdown."""
    text = f"{conflict.problem} {conflict.cure}"
    for name, called in labels().items():
        if "_" in name:  # the others are words of their own
            text = text.replace(name, f"“{called}”")
    return f"**{label(conflict.field)}**: {plain(text)}"
