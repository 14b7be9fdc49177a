"""How `starter.safetensors` is made: MobileNetV3-Small distilled from a teacher on free pictures, with one command.

    python -m transfer_core.backbones.starter.recipe --teacher FILE --pool FOLDER --out FILE --steps N --seed N

The teacher is a state dict of torchvision's `mobilenet_v2`; the pool is what `gather` wrote. Where there is a graphics card,
pictures are made on it and both networks run there.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models import mobilenet_v3_small

from transfer_core.backbones.starter.answers import Answers, normalised
from transfer_core.backbones.starter.checkpoint import (
    Record,
    pictures_shown,
    read_checkpoint,
    read_features,
    save_checkpoint,
    save_starter,
)
from transfer_core.backbones.starter.pool import Pool
from transfer_core.backbones.starter.saying import say
from transfer_core.backbones.starter.scenes import Scenes
from transfer_core.backbones.starter.teacher import HINT_BLOCKS, Teacher, Told
from transfer_core.files import digest_of

FEATURES = 576  # channels the student's last convolution gives
TEMPERATURE = 2.0
WARM_UP_STEPS = 100
ALONE_STEPS = 200  # in which a training that goes on from a starter fits the maps to the teacher alone
STATISTICS_BATCHES = 12
TIMED_STEPS = 8
SETTLING_PIXELS = 224  # the size the starter is used at
SETTLING_BATCHES = 48
FAR = 1_000_000_000  # numbers of batches that no step sees
# The student's blocks that learn the teacher's hints, and their channels: at the same shares of the picture's side.
HINTED_BLOCKS: dict[int, int] = {3: 24, 8: 48, 11: 96}

Statistics = tuple[Tensor, Tensor]  # mean and standard deviation of each channel


@dataclass(frozen=True)
class Settings:
    """All that the result depends on, beside the teacher, the pictures, the kind of device and the number of threads."""

    steps: int
    seed: int
    batch: int = 64
    phases: tuple[tuple[float, int], ...] = ((0.85, 128), (0.15, 192))  # share of the steps, side of their pictures
    shows: int = 4  # how often a picture is shown
    kept: int = 128  # batches from which the pictures of a step are drawn
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    logit_weight: float = 1.0
    hint_weight: float = 0.5

    def as_json(self) -> dict[str, Any]:
        """As a file's record has them: with lists for tuples."""
        told: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return told

    def first_steps(self) -> list[int]:
        """The step each phase begins at, and where the last one ends."""
        shares = [0.0]
        for share, _pixels in self.phases:
            shares.append(shares[-1] + share)
        return [round(self.steps * share) for share in shares[:-1]] + [self.steps]


class Student(nn.Module):
    """MobileNetV3-Small's features and the linear maps that meet the teacher's; only the features are kept."""

    def __init__(self, teacher_features: int, classes: int) -> None:
        """Random start, from torch's global generator."""
        super().__init__()
        self.features = mobilenet_v3_small(weights=None).features
        self.to_features = nn.Linear(FEATURES, teacher_features)
        self.to_logits = nn.Linear(FEATURES, classes)
        pairs = zip(HINTED_BLOCKS.values(), HINT_BLOCKS.values(), strict=True)
        self.to_hints = nn.ModuleList(nn.Conv2d(own, told, 1) for own, told in pairs)

    def forward(self, pictures: Tensor) -> Told:
        """Guesses of what the teacher says, for normalised (count, 3, height, width)."""
        own = []
        for number, block in enumerate(self.features):
            pictures = block(pictures)
            if number in HINTED_BLOCKS:
                own.append(pictures)
        pooled = pictures.mean((2, 3))
        hints = [to_hint(each) for to_hint, each in zip(self.to_hints, own, strict=True)]
        return Told(self.to_features(pooled), self.to_logits(pooled), hints)


def distillation_loss(guessed: Told, told: Told, statistics: list[Statistics], settings: Settings) -> Tensor:
    """1 - cosine of features and hints (FitNets, 1412.6550) plus the divergence of softened logits (1503.02531)."""
    divergence = functional.kl_div(
        functional.log_softmax(guessed.logits / TEMPERATURE, 1),
        functional.log_softmax(told.logits / TEMPERATURE, 1),
        reduction="batchmean",
        log_target=True,
    )
    # Channels share a large mean and differ in size; what tells pictures apart is the rest, so targets are standardised.
    distances = []
    for own, target, (mean, std) in zip(_maps(guessed), _maps(told), statistics, strict=True):
        shape = (1, -1) + (1,) * (target.dim() - 2)
        standard = (target - mean.view(shape)) / std.view(shape)
        distances.append(1 - functional.cosine_similarity(own, standard, dim=1).mean())
    hints = torch.stack(distances[1:]).sum()
    return distances[0] + settings.hint_weight * hints + settings.logit_weight * divergence


def _maps(said: Told) -> list[Tensor]:
    """What is compared by direction: the pooled features and the hints."""
    return [said.pooled, *said.hints]


def learning_rate_at(step: int, settings: Settings) -> float:
    """Linear warm-up, then a cosine to zero."""
    warm_up = min(1.0, (step + 1) / WARM_UP_STEPS)
    return settings.learning_rate * warm_up * 0.5 * (1 + math.cos(math.pi * step / settings.steps))


class Distillation:
    """The training's whole state: student, optimiser, and the step it stands at."""

    def __init__(self, settings: Settings, teacher: Teacher, pool: Pool, start: Path | None = None) -> None:
        """From random parameters, or from those of the starter at `start`."""
        self.settings, self.teacher, self.pool, self.continued = settings, teacher, pool, start is not None
        torch.manual_seed(settings.seed)
        student = Student(teacher.features, teacher.classes)
        if start is not None:
            student.features.load_state_dict(read_features(start))
        self.student = student.to(teacher.device).to(memory_format=torch.channels_last).train()
        features = list(self.student.features.parameters())
        maps = [parameter for name, parameter in self.student.named_parameters() if not name.startswith("features.")]
        self.optimiser = torch.optim.AdamW(
            [{"params": features}, {"params": maps}], lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True
        )
        self.step = 0
        self.statistics: list[Statistics] = []
        self.phase = -1

    def enter_phase(self) -> None:
        """Have pictures and answers of the size that this step wants; the teacher's statistics are measured where they are not known."""
        firsts = self.settings.first_steps()
        phase = next(number for number in range(len(firsts) - 1) if self.step < firsts[number + 1])
        if phase == self.phase:
            return
        settings, pixels = self.settings, self.settings.phases[phase][1]
        make = Scenes(self.pool, settings.seed * len(settings.phases) + phase, batch=settings.batch, pixels=pixels)
        ask = self.teacher.for_batches(settings.batch, pixels, torch.get_num_threads())
        self.answers = Answers(make, ask, seed=settings.seed, batch=settings.batch, shows=settings.shows, kept=settings.kept)
        if self.step == firsts[phase]:
            self.statistics = self._measure_teacher()
        self.phase = phase

    def _measure_teacher(self) -> list[Statistics]:
        """Mean and standard deviation of each of the teacher's channels."""
        told = [_maps(self.answers.told(FAR + number)) for number in range(STATISTICS_BATCHES)]
        found = []
        for maps in zip(*told, strict=True):
            channels = torch.cat([each.transpose(0, 1).flatten(1) for each in maps], 1)
            found.append((channels.mean(1), channels.std(1).clamp_min(1e-2)))
        return found

    def train_step(self) -> float:
        """One step; the loss before it."""
        self.enter_phase()
        answered = self.answers(self.step - self.settings.first_steps()[self.phase])
        rate = learning_rate_at(self.step, self.settings)
        features, maps = self.optimiser.param_groups
        maps["lr"] = rate
        features["lr"] = 0.0 if self.continued and self.step < ALONE_STEPS else rate
        self.optimiser.zero_grad(set_to_none=True)
        device = answered.pictures.device.type
        with torch.autocast(device, torch.bfloat16, enabled=device != "cpu"):
            guessed = self.student(answered.pictures)
        guessed = Told(guessed.pooled.float(), guessed.logits.float(), [hint.float() for hint in guessed.hints])
        loss = distillation_loss(guessed, answered.told, self.statistics, self.settings)
        loss.backward()
        self.optimiser.step()
        self.step += 1
        return float(loss.detach())

    @torch.no_grad()
    def settle(self) -> None:
        """BatchNorm's statistics anew, as plain means over unblended pictures of the size the starter is used at.

        In smaller pictures much more of the last maps is padded border: the means of the one don't fit the other.
        """
        make = Scenes(self.pool, self.settings.seed, batch=self.settings.batch // 2, pixels=SETTLING_PIXELS, blended=False)
        for module in self.student.features.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.reset_running_stats()
                module.momentum = None  # a plain mean
        for number in range(SETTLING_BATCHES):
            self.student.features(normalised(make(FAR + number)))

    def tensors(self) -> dict[str, Tensor]:
        """Every tensor a resumed training needs, under a name."""
        tensors = {f"student.{name}": tensor for name, tensor in self.student.state_dict().items()}
        for name, parameter in self.student.named_parameters():
            for part, tensor in self.optimiser.state[parameter].items():
                tensors[f"optimiser.{part}.{name}"] = tensor
        for number, (mean, std) in enumerate(self.statistics):
            tensors |= {f"teacher.{number}.mean": mean, f"teacher.{number}.std": std}
        return tensors

    def restore(self, tensors: dict[str, Tensor], step: int) -> None:
        """The state that `tensors()` gave after `step` steps."""
        student = {name.removeprefix("student."): each for name, each in tensors.items() if name.startswith("student.")}
        self.student.load_state_dict(student)
        for name, parameter in self.student.named_parameters():
            # The fused optimiser walks a parameter and its moments in memory order, so they need the same layout.
            moments = {
                part: torch.empty_like(parameter).copy_(tensors[f"optimiser.{part}.{name}"]) for part in ("exp_avg", "exp_avg_sq")
            }
            taken = tensors[f"optimiser.step.{name}"].to(parameter.device, copy=True)  # where a fused optimiser wants it
            self.optimiser.state[parameter] = {"step": taken, **moments}
        count = 1 + len(HINT_BLOCKS)
        device = self.teacher.device
        self.statistics = [
            (tensors[f"teacher.{number}.mean"].to(device), tensors[f"teacher.{number}.std"].to(device)) for number in range(count)
        ]
        self.step = step


def measured_steps(minutes: float, teacher: Teacher, pool: Pool, settings: Settings) -> int:
    """How many steps fit the time, from a few steps of trainings at each size that are thrown away."""
    seconds, timed = 0.0, TIMED_STEPS * settings.shows
    for share, pixels in settings.phases:
        trial = Distillation(replace(settings, steps=1 + timed, phases=((1.0, pixels),)), teacher, pool)
        trial.train_step()
        started = time.perf_counter()
        for _ in range(timed):
            trial.train_step()
        seconds += share * (time.perf_counter() - started) / timed
    return max(WARM_UP_STEPS, int(minutes * 60 / seconds))


def train(
    teacher: Teacher,
    pool: Pool,
    out: Path,
    settings: Settings,
    *,
    checkpoint: Path | None,
    every: int,
    start: Path | None = None,
    stop_at: int | None = None,
) -> None:
    """Trains to the last step and writes the starter; with a checkpoint that is there, goes on from it.

    `start` is a starter whose parameters the training begins with. `stop_at` ends early, as a kill would, for tests.
    """
    training = Distillation(settings, teacher, pool, start)
    record: Record = {"settings": settings.as_json(), "pictures": pool.digest, "teacher": teacher.digest}
    record |= {"device": teacher.device.type, "threads": torch.get_num_threads()}
    if start is not None:
        record["start"] = {"digest": digest_of(start), "shown": pictures_shown(start)}
    if checkpoint is not None and checkpoint.exists():
        tensors, step, _ = read_checkpoint(checkpoint, record)
        training.restore(tensors, step)
        say(f"Going on from step {step} of {settings.steps}.")
    started, first = time.perf_counter(), training.step
    losses: list[float] = []
    while training.step < settings.steps:
        losses.append(training.train_step())
        if training.step % every == 0 or training.step == settings.steps:
            seconds = time.perf_counter() - started
            left = seconds / (training.step - first) * (settings.steps - training.step)
            say(f"Step {training.step} of {settings.steps}, loss {sum(losses) / len(losses):.3f}, about {left:.0f} s left.")
            losses.clear()
            if checkpoint is not None:
                save_checkpoint(checkpoint, training.tensors(), training.step, record)
        if training.step == stop_at:
            return
    say(f"Trained on {settings.steps * settings.batch:,} pictures in {time.perf_counter() - started:.0f} s.")
    training.settle()
    save_starter(out, training.student.features, record)
    say(f"Wrote {out}.")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(description="Pretrain the starter backbone on free pictures.")
    parser.add_argument("--teacher", type=Path, required=True, help="state dict of torchvision's mobilenet_v2")
    parser.add_argument("--pool", type=Path, required=True, help="folder of the pictures that gather wrote")
    parser.add_argument("--out", type=Path, required=True, help="the safetensors file to write")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--steps", type=int, default=10_000, help="steps of 64 pictures")
    length.add_argument("--minutes", type=float, help="choose the number of steps to take about this long")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=0, help="0: as torch chooses")
    parser.add_argument("--resume", type=Path, help="checkpoint: written while training, gone on from if it is there")
    parser.add_argument("--start", type=Path, help="a starter to begin with, instead of random parameters")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    given = parser.parse_args(arguments)
    if given.threads:
        torch.set_num_threads(given.threads)
    torch.backends.cudnn.deterministic = True
    settings = Settings(steps=given.steps, seed=given.seed)
    teacher, pool = Teacher(given.teacher, given.device), Pool.read(given.pool, given.device)
    if given.minutes:
        steps = recorded_steps(given.resume) or measured_steps(given.minutes, teacher, pool, settings)
        settings = replace(settings, steps=steps)
        say(f"{steps} steps; to repeat this result, give --steps {steps}.")
    train(teacher, pool, given.out, settings, checkpoint=given.resume, every=250, start=given.start)
    return 0


def recorded_steps(checkpoint: Path | None) -> int | None:
    """The number of steps an interrupted training was planned for: a time is turned into steps only once."""
    if checkpoint is None or not checkpoint.exists():
        return None
    return int(read_checkpoint(checkpoint, None)[2]["settings"]["steps"])


if __name__ == "__main__":
    sys.exit(main())
