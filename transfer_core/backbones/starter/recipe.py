"""How `starter.safetensors` is made: MobileNetV3-Small distilled from a teacher on free pictures, with one command.

    python -m transfer_core.backbones.starter.recipe --teacher FILE --out FILE --steps N --seed N

The teacher is a state dict of torchvision's `mobilenet_v2`; needs the development extras scikit-image and scikit-learn.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models import mobilenet_v3_small

from transfer_core.backbones.starter.checkpoint import read_checkpoint, save_checkpoint, save_starter
from transfer_core.backbones.starter.pictures import PictureSource
from transfer_core.backbones.starter.teacher import HINT_BLOCKS, Teacher, Told

FEATURES = 576  # channels the student's last convolution gives
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
TEMPERATURE = 2.0
WARM_UP_STEPS = 100
STATISTICS_BATCHES = 12
TIMED_STEPS = 12
SETTLING_PIXELS = 224  # the size the starter is used at, for a training at 128
SETTLING_BATCHES = 48
# The student's blocks that learn the teacher's hints, and their channels: at the same shares of the picture's side.
HINTED_BLOCKS: dict[int, int] = {3: 24, 8: 48, 11: 96}

Statistics = tuple[Tensor, Tensor]  # mean and standard deviation of each channel


@dataclass(frozen=True)
class Settings:
    """All that the result depends on, beside the teacher, the pictures and the number of threads."""

    steps: int
    seed: int
    batch: int = 64
    pixels: int = 128
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    logit_weight: float = 1.0
    hint_weight: float = 0.5


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
    return distances[0] + settings.hint_weight * sum(distances[1:], torch.zeros(())) + settings.logit_weight * divergence


def _maps(said: Told) -> list[Tensor]:
    """What is compared by direction: the pooled features and the hints."""
    return [said.pooled, *said.hints]


def learning_rate_at(step: int, settings: Settings) -> float:
    """Linear warm-up, then a cosine to zero."""
    warm_up = min(1.0, (step + 1) / WARM_UP_STEPS)
    return settings.learning_rate * warm_up * 0.5 * (1 + math.cos(math.pi * step / settings.steps))


class Distillation:
    """The training's whole state: student, optimiser, and the step it stands at."""

    def __init__(self, settings: Settings, teacher: Teacher, pictures: PictureSource) -> None:
        """A fresh start; the teacher's feature statistics come from batches of their own, before step 0."""
        self.settings, self.teacher, self.pictures = settings, teacher, pictures
        torch.manual_seed(settings.seed)
        self.student = Student(teacher.features, teacher.classes).to(memory_format=torch.channels_last).train()
        self.optimiser = torch.optim.AdamW(
            self.student.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True
        )
        self.step = 0
        self.statistics: list[Statistics] = []
        # The next pictures are made on a thread while the teacher and the student work on these.
        self._ahead: tuple[int, Future[Tensor]] | None = None
        self._worker = ThreadPoolExecutor(1)
        self._normal_mean = torch.tensor(MEAN).view(1, 3, 1, 1)
        self._normal_std = torch.tensor(STD).view(1, 3, 1, 1)

    def batch(self, index: int) -> Tensor:
        """The normalised pictures of one step: float32 (batch, 3, pixels, pixels)."""
        if self._ahead is None or self._ahead[0] != index:
            self._ahead = (index, self._worker.submit(self.pictures, index))
        made = self._ahead[1].result()
        self._ahead = (index + 1, self._worker.submit(self.pictures, index + 1))
        return self.normalised(made)

    def measure_teacher(self) -> None:
        """Mean and standard deviation of each of the teacher's channels, over batches beyond the last step's."""
        first = self.settings.steps
        told = [_maps(self.teacher(self.batch(first + index))) for index in range(STATISTICS_BATCHES)]
        for maps in zip(*told, strict=True):
            channels = torch.cat([each.transpose(0, 1).flatten(1) for each in maps], 1)
            self.statistics.append((channels.mean(1), channels.std(1).clamp_min(1e-2)))

    def train_step(self) -> float:
        """One step; the loss before it."""
        pictures = self.batch(self.step)
        told = self.teacher(pictures)
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate_at(self.step, self.settings)
        self.optimiser.zero_grad(set_to_none=True)
        guessed = self.student(pictures)
        loss = distillation_loss(guessed, told, self.statistics, self.settings)
        loss.backward()
        self.optimiser.step()
        self.step += 1
        return float(loss.detach())

    @torch.no_grad()
    def settle(self) -> None:
        """BatchNorm's statistics anew, as plain means over unblended crops of the size the starter is used at.

        At 128 pixels much more of the last maps is padded border than at 224: the means of the one don't fit the other.
        """
        pixels = self.settings.pixels * SETTLING_PIXELS // 128
        pictures = PictureSource(self.settings.seed, batch=self.settings.batch // 2, pixels=pixels, blended=False)
        for module in self.student.features.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.reset_running_stats()
                module.momentum = None  # a plain mean
        for index in range(SETTLING_BATCHES):
            self.student.features(self.normalised(pictures(self.settings.steps + index)))

    def normalised(self, pictures: Tensor) -> Tensor:
        """Pictures in 0 to 1 as both networks take them, channels last."""
        pictures = (pictures - self._normal_mean) / self._normal_std
        return pictures.contiguous(memory_format=torch.channels_last)

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
            self.optimiser.state[parameter] = {"step": tensors[f"optimiser.step.{name}"].clone(), **moments}
        count = 1 + len(HINT_BLOCKS)
        self.statistics = [(tensors[f"teacher.{number}.mean"], tensors[f"teacher.{number}.std"]) for number in range(count)]
        self.step = step


def measured_steps(minutes: float, teacher: Teacher, pictures: PictureSource, settings: Settings) -> int:
    """How many steps fit the time, from a few steps of a training that is thrown away."""
    trial = Distillation(settings, teacher, pictures)
    trial.train_step()
    started = time.perf_counter()
    for _ in range(TIMED_STEPS):
        trial.train_step()
    seconds = (time.perf_counter() - started) / TIMED_STEPS
    return max(WARM_UP_STEPS, int(minutes * 60 / seconds))


def train(
    teacher: Teacher, out: Path, settings: Settings, *, checkpoint: Path | None, every: int, stop_at: int | None = None
) -> None:
    """Trains to the last step and writes the starter; with a checkpoint that is there, goes on from it.

    `stop_at` ends early, as a kill would, for tests.
    """
    pictures = PictureSource(settings.seed, batch=settings.batch, pixels=settings.pixels)
    training = Distillation(settings, teacher, pictures)
    record = {"settings": asdict(settings), "pictures": pictures.digest, "teacher": teacher.digest}
    if checkpoint is not None and checkpoint.exists():
        tensors, step, _ = read_checkpoint(checkpoint, record)
        training.restore(tensors, step)
        say(f"Going on from step {step} of {settings.steps}.")
    else:
        training.measure_teacher()
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


def say(sentence: str) -> None:
    """One sentence of progress on stderr."""
    print(sentence, file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(description="Pretrain the starter backbone on free pictures.")
    parser.add_argument("--teacher", type=Path, required=True, help="state dict of torchvision's mobilenet_v2")
    parser.add_argument("--out", type=Path, required=True, help="the safetensors file to write")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--steps", type=int, help="steps of 64 pictures")
    length.add_argument("--minutes", type=float, help="choose the number of steps to take about this long")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=0, help="0: as torch chooses")
    parser.add_argument("--resume", type=Path, help="checkpoint: written while training, gone on from if it is there")
    given = parser.parse_args(arguments)
    if given.threads:
        torch.set_num_threads(given.threads)
    settings = Settings(steps=given.steps or 10_000, seed=given.seed)
    teacher = Teacher(given.teacher, batch=settings.batch, pixels=settings.pixels, threads=torch.get_num_threads())
    if given.minutes:
        recorded = recorded_steps(given.resume)
        pictures = PictureSource(settings.seed, batch=settings.batch, pixels=settings.pixels)
        steps = recorded or measured_steps(given.minutes, teacher, pictures, settings)
        settings = Settings(steps=steps, seed=given.seed)
        say(f"{steps} steps; to repeat this result, give --steps {steps}.")
    train(teacher, given.out, settings, checkpoint=given.resume, every=250)
    return 0


def recorded_steps(checkpoint: Path | None) -> int | None:
    """The number of steps an interrupted training was planned for: a time is turned into steps only once."""
    if checkpoint is None or not checkpoint.exists():
        return None
    return int(read_checkpoint(checkpoint, None)[2]["settings"]["steps"])


if __name__ == "__main__":
    sys.exit(main())
