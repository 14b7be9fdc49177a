"""How deep to train: what every depth of freezing costs here, and which one is usually wise for so many pictures. No torch."""

from __future__ import annotations

from dataclasses import dataclass, replace

from transfer_core.advice.speed import Speed, Work, speed
from transfer_core.backbones.catalogue import BackboneInfo
from transfer_core.i18n import _
from transfer_core.training.settings import FreezeDepth

# Forward and backward against forward alone: the gradient by the activations costs another pass, that by the weights one more.
# Measured: MobileNetV2 2.2, EfficientNet-B0 2.4, RegNetY-400MF 2.8, ResNet-18 2.9.
FORWARD_AND_BACKWARD = 3.0
# Torch's share of ONNX Runtime's pictures a second on processors. Measured channels_last, with BatchNorm not folded, as in training, in
# processor time on one thread: MobileNetV2 0.33 (38 of 116), EfficientNet-B0 0.45 (33 of 74), RegNetY-400MF 0.76 (54 of 71), ResNet-18
# 0.81 (25 of 30).
TORCH = 0.5
FLOAT16 = 2  # bytes


@dataclass(frozen=True)
class Amount:
    """The pictures that training goes through in each epoch: those learned from, those only checked with, and in how many classes."""

    train: int
    val: int
    classes: int

    @property
    def each(self) -> int:
        """Pictures to learn from in an average class."""
        return self.train // max(1, self.classes)


@dataclass(frozen=True)
class Task:
    """What is to be trained: a backbone, on so many pictures."""

    info: BackboneInfo
    amount: Amount


@dataclass(frozen=True)
class Depth:
    """One way to freeze a backbone, and what it costs."""

    freeze: FreezeDepth  # as the settings have it
    frozen: int  # stages, from the first on
    trained: tuple[str, ...]  # names of the stages that learn
    parameters: int  # that learn, the head's included
    seconds: float | None  # an epoch; None where nothing is known of the computer's speed, as on graphics cards
    measured: bool  # whether the seconds come from a speed that was measured here
    boundary_bytes: (
        int  # on disk, to keep what the frozen part gives for every picture once, in float16; 0 where nothing is frozen
    )
    wise: str = ""  # why this one is usually wise for so many pictures; "" for all others


@dataclass(frozen=True)
class Rule:
    """From so many pictures in all and in an average class on, so many of the last stages are usually worth training."""

    pictures: int
    each: int
    stages: int


EVERYTHING = 1000
# Each holds until the next one does.
RULES = (
    # Ten pictures a class and fewer: a linear head on frozen features is ahead of fine-tuning (arXiv 2205.07874).
    Rule(0, 0, 0),
    # One block does as well as all of them on small sets (Lee et al., Surgical fine-tuning improves adaptation to distribution shifts,
    # 2023); the last is the most particular to what was learned first (Yosinski et al., How transferable are features, 2014). In our own
    # trials with 40 to 150 pictures a class it won eight points on one set of four and lost one to four on the others.
    Rule(100, 20, 1),
    # Between the two; Kornblith et al. (Why do better loss functions lead to less transferable features, 2021) find that networks
    # trained for different ends differ in their last few stages alone.
    Rule(1_000, 50, 2),
    # Kolesnikov et al., Big Transfer (2020), fine-tune all of the network, and from 20,000 pictures on with long schedules and mixup.
    Rule(20_000, 100, EVERYTHING),
)


def depths(task: Task, head_parameters: int, forward: Speed | None) -> tuple[Depth, ...]:
    """Every depth from nothing frozen to all, with exactly one wise; `forward` is the frozen backbone's speed on this computer.

    Where the backbone's stages are not known there are two, nothing and all. Its own classifier is then counted with it.
    """
    info, amount, stages = task.info, task.amount, task.info.stages
    count = len(stages)
    whole = sum(stage.multiply_adds for stage in stages)
    last = wise_stages(amount)
    choices = range(count + 1) if count else (0, 1)
    wise = max(0, count - last) if count else int(last < EVERYTHING)
    found = []
    for frozen in choices:
        share = sum(stage.multiply_adds for stage in stages[frozen:]) / whole if whole else float(not frozen)
        backbone = sum(stage.parameters for stage in stages[frozen:]) if count else info.parameters * (not frozen)
        values = 0 if not frozen else stages[frozen - 1].values if frozen < count else info.feature_count
        depth = Depth(
            freeze=as_setting(frozen, max(1, count)),
            frozen=frozen if count else 0,
            trained=tuple(stage.name for stage in stages[frozen:]),
            parameters=backbone + head_parameters,
            seconds=_seconds(amount, share, forward) if forward else None,
            measured=bool(forward and forward.measured),
            boundary_bytes=values * FLOAT16 * amount.train,
        )
        found.append(replace(depth, wise=_why(last, amount)) if frozen == wise else depth)
    return tuple(found)


def forward_speed(info: BackboneInfo, threads: int) -> Speed:
    """How many pictures a second the frozen backbone manages here in ONNX Runtime, measured or predicted."""
    return speed(Work(info.name, info.family, info.crop, info.multiply_adds), threads)


def wise_stages(amount: Amount) -> int:
    """How many of the last stages are usually worth training for so many pictures."""
    return [rule.stages for rule in RULES if amount.train >= rule.pictures and amount.each >= rule.each][-1]


def as_setting(frozen: int, count: int) -> FreezeDepth:
    """So many frozen stages of `count` as the settings have it: in words where there is one, which hold for every backbone."""
    words: dict[int, FreezeDepth] = {count - 1: "last-stage", 0: "none", count: "all"}
    return words.get(frozen, frozen)


def in_words(freeze: FreezeDepth, count: int) -> FreezeDepth:
    """The setting as `depths` has it for a backbone of so many stages: 5 of 6 is "last-stage"."""
    return as_setting(freeze, count) if isinstance(freeze, int) and count else freeze


def _seconds(amount: Amount, share: float, forward: Speed) -> float:
    """Of an epoch: the whole network forward for every picture, and the trained share of it backward for those learned from."""
    passes = amount.train * (1 - share + FORWARD_AND_BACKWARD * share) + amount.val
    return passes / max(forward.images_per_second * TORCH, 1e-9)


def _why(last: int, amount: Amount) -> str:
    about = _("With {count} pictures to learn from, {each} a class:").format(count=f"{amount.train:,}", each=f"{amount.each:,}")
    reasons = {
        0: _("that is too little to change the backbone by. Train the head alone, which is quick and hard to spoil."),
        1: _(
            "the last stage can learn what is particular about yours. What comes before it sees what all pictures have in common."
        ),
        2: _("enough for the last two stages, which are the most particular to the pictures they learned from first."),
        EVERYTHING: _("enough for all of the backbone to learn, if there is time for it."),
    }
    return f"{about} {reasons[last]}"
