"""Training steps on a CUDA card, as the loop takes them, against the same steps on one batch that lies there, and against the card's limit.

    python benchmarks/gpu.py [--out FILE.json] [--networks resnet50 convnext_tiny] [--batch 256] [--steps 40] [--tiny]

Stands alone: it needs torch, torchvision and numpy, and of this package only `transfer_core.images.augment`, which needs no more; where
that is missing, the bare steps alone are measured, and the result says so. Weights are random. On a card the network computes in bf16 under
autocast. `--tiny` is a smoke test of the script for any computer: its figures mean nothing.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision import models

sys.path.insert(0, str(Path(__file__).parents[1]))  # as a file of a checkout that is not installed

try:
    from transfer_core.images.augment import augment
    from transfer_core.images.augmentation import GENTLE
except ImportError as error:  # what is missing is told in the result
    MISSING: str | None = str(error)
else:
    MISSING = None

GOAL = 0.9  # of the images a second of the bare steps
READ_EVERY = 20  # steps between two looks at the loss, as in the loop
ROUNDS = 3
MARGIN = 32  # pixels of a square around the crop
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# Dense bf16 FLOPs a second in tensor cores, from the makers' data sheets; the first name that the card's name contains counts.
PEAKS = {
    "H200": 989e12,
    "H100 PCIe": 756e12,
    "H100 NVL": 835e12,
    "H100": 989e12,
    "A100": 312e12,
    "L40S": 362e12,
    "L40": 181e12,
    "L4": 121e12,
    "A10G": 70e12,
    "A10": 125e12,
    "RTX 4090": 165e12,
    "RTX 3090": 71e12,
}
FLOPS_OF_A_STEP = 6  # for each multiply-add of the forward pass: two operations, and twice as much again for the gradients


@dataclass(frozen=True)
class Measured:
    """One network in one memory format; images a second, and shares of 1. None: not measured, or not known."""

    network: str
    memory_format: str
    optimiser: str
    multiply_adds: int  # of one picture
    bare: float
    loop: float | None
    loop_of_bare: float | None
    loop_of_limit: float | None
    bare_of_limit: float | None


@dataclass(frozen=True)
class Bench:
    """What is trained on, and for how long."""

    device: torch.device
    precision: torch.dtype
    batch: int
    crop: int
    pictures: int
    steps: int

    @property
    def limit(self) -> float | None:
        """FLOPs a second that the card's maker promises."""
        if self.device.type != "cuda":
            return None
        name = torch.cuda.get_device_name(self.device)
        return next((peak for known, peak in PEAKS.items() if known in name), None)

    def wait(self) -> None:
        """Until the card has done all."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


class Trainer:
    """A network with its optimiser; BatchNorm does not learn, as in the loop."""

    def __init__(self, bench: Bench, name: str, memory_format: torch.memory_format, optimiser: str):
        self.bench, self.format = bench, memory_format
        network: nn.Module = models.get_model(name, weights=None)
        self.network = network.to(bench.device).to(memory_format=memory_format).train()
        for module in self.network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        kinds: dict[str, dict[str, Any]] = {"single": {"foreach": False}, "fused": {"fused": True}}
        self.optimiser = torch.optim.AdamW(self.network.parameters(), lr=1e-6, **kinds[optimiser])
        self.mean = torch.tensor(MEAN, device=bench.device).view(1, 3, 1, 1)
        self.std = torch.tensor(STD, device=bench.device).view(1, 3, 1, 1)

    def step(self, pictures: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """A step on float `[n, 3, crop, crop]`; gives the summed loss and the hits, which stay on the device."""
        self.optimiser.zero_grad(set_to_none=True)
        with torch.autocast(self.bench.device.type, self.bench.precision, enabled=self.bench.precision != torch.float32):
            logits = self.network(pictures)
        loss = functional.cross_entropy(logits.float(), labels, reduction="sum")
        (loss / len(labels)).backward()
        self.optimiser.step()
        return loss.detach(), (logits.detach().argmax(1) == labels).sum()

    def prepared(self, pictures: Tensor) -> Tensor:
        """Pictures in 0..1, as the network wants them."""
        return ((pictures.contiguous(memory_format=self.format)) - self.mean) / self.std


def main(arguments: list[str]) -> dict[str, Any]:
    """Measure, print and write what is asked for."""
    parser = argparse.ArgumentParser(prog="benchmarks/gpu.py")
    parser.add_argument("--out", type=Path, default=Path("gpu.json"))
    parser.add_argument("--networks", nargs="+", default=["resnet50", "convnext_tiny"])
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--tiny", action="store_true")
    options = parser.parse_args(arguments)
    if options.tiny:
        bench, networks = Bench(_device(), torch.float32, 2, 32, 4, 2), ["squeezenet1_1"]
    elif not torch.cuda.is_available():
        parser.error("there is no CUDA card here that torch can use; --tiny tries the script without one")
    else:
        bench, networks = Bench(_device(), torch.bfloat16, options.batch, 224, 8 * options.batch, options.steps), options.networks
    result = _about(bench) | {"results": [asdict(measured) for measured in measure(bench, networks)]}
    options.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return result


def measure(bench: Bench, networks: list[str]) -> list[Measured]:
    """Every network in both memory formats with the loop's optimiser, and in the loop's format with the fused one."""
    found = []
    for name in networks:
        for memory_format, optimiser in (("channels_last", "single"), ("contiguous", "single"), ("channels_last", "fused")):
            found.append(_measure(bench, name, memory_format, optimiser))
            print(found[-1], flush=True)
    return found


def _measure(bench: Bench, name: str, memory_format: str, optimiser: str) -> Measured:
    torch.manual_seed(0)
    layout = torch.channels_last if memory_format == "channels_last" else torch.contiguous_format
    trainer = Trainer(bench, name, layout, optimiser)
    work = multiply_adds(trainer.network, bench)
    kinds = {"bare": _bare(bench, trainer)} | ({} if MISSING else {"loop": _as_the_loop(bench, trainer)})
    for steps in kinds.values():
        steps(2)  # warm
    # One after the other in each round: what a card does to its clock then befalls both.
    rounds: dict[str, list[float]] = {kind: [] for kind in kinds}
    for _round in range(ROUNDS):
        for kind, steps in kinds.items():
            rounds[kind].append(_images_a_second(bench, steps))
    bare = median(rounds["bare"])
    loop = median(rounds["loop"]) if "loop" in rounds else None
    of_bare = median(a / b for a, b in zip(rounds["loop"], rounds["bare"], strict=True)) if loop else None
    return Measured(
        name, memory_format, optimiser, work, bare, loop, of_bare, _of_limit(bench, work, loop), _of_limit(bench, work, bare)
    )


def _bare(bench: Bench, trainer: Trainer) -> Callable[[int], None]:
    """Steps on one batch that lies on the device as the network wants it."""
    labels = torch.arange(bench.batch, device=bench.device) % 10
    given = trainer.prepared(torch.rand(bench.batch, 3, bench.crop, bench.crop, device=bench.device))

    def steps(count: int) -> None:
        for _step in range(count):
            trainer.step(given, labels)

    return steps


def _as_the_loop(bench: Bench, trainer: Trainer) -> Callable[[int], None]:
    """Steps on whole batches that are drawn from uint8 squares on the device and augmented; the loss is looked at now and then."""
    side = bench.crop + MARGIN
    squares = torch.randint(0, 256, (bench.pictures, side, side, 3), dtype=torch.uint8, device=bench.device)
    labels = torch.arange(bench.pictures) % 10
    generator = torch.Generator().manual_seed(0)

    def steps(count: int) -> None:
        pending: list[tuple[Tensor, Tensor]] = []
        order = torch.empty(0, dtype=torch.int64)
        for step in range(count):
            if len(order) < bench.batch:
                order = torch.randperm(bench.pictures, generator=generator)
            places, order = order[: bench.batch], order[bench.batch :]
            views = augment(squares[places.to(bench.device)], bench.crop, generator, GENTLE)
            pending.append(trainer.step(trainer.prepared(views), labels[places].to(bench.device)))
            if step % READ_EVERY == 0:
                _losses = [(float(loss), int(hits)) for loss, hits in pending]
                pending.clear()

    return steps


def _images_a_second(bench: Bench, steps: Callable[[int], None]) -> float:
    bench.wait()
    started = time.perf_counter()
    steps(bench.steps)
    bench.wait()
    return bench.batch * bench.steps / (time.perf_counter() - started)


def multiply_adds(network: nn.Module, bench: Bench) -> int:
    """Those of the convolutions and matrices for one picture, counted as it goes through; attention is not among them."""
    total = 0

    def count(module: nn.Module, _given: Any, out: Tensor) -> None:
        nonlocal total
        if isinstance(module, nn.Conv2d):
            kernel = module.kernel_size[0] * module.kernel_size[1]
            total += out.numel() * kernel * module.in_channels // module.groups
        elif isinstance(module, nn.Linear):
            total += out.numel() * module.in_features

    hooks = [module.register_forward_hook(count) for module in network.modules()]
    with torch.no_grad():
        network(torch.zeros(1, 3, bench.crop, bench.crop, device=bench.device))
    for hook in hooks:
        hook.remove()
    return total


def _of_limit(bench: Bench, work: int, images_a_second: float | None) -> float | None:
    if bench.limit is None or images_a_second is None:
        return None
    return images_a_second * work * FLOPS_OF_A_STEP / bench.limit


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _about(bench: Bench) -> dict[str, Any]:
    name = torch.cuda.get_device_name(bench.device) if bench.device.type == "cuda" else platform.processor()
    return {
        "device": bench.device.type,
        "name": name,
        "limit_flops": bench.limit,
        "torch": torch.__version__,
        "precision": str(bench.precision).removeprefix("torch."),
        "batch": bench.batch,
        "crop": bench.crop,
        "steps": bench.steps,
        "goal_loop_of_bare": GOAL,
        "not_measured": f"the loop's steps: {MISSING}" if MISSING else None,
    }


if __name__ == "__main__":
    main(sys.argv[1:])
