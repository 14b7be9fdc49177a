"""What a run settles once, by looking at this computer and this data, and then keeps to."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from transfer_core.backbones.catalogue import BackboneInfo
from transfer_core.errors import RunError
from transfer_core.files import read_json, write_json
from transfer_core.i18n import _
from transfer_core.processes import usable_cores
from transfer_core.training.settings import RunSettings

FILE = "choices.json"


@dataclass(frozen=True)
class Choices:
    """Recorded in the run's folder, so that a resumed run gives the result it would have had."""

    device: str
    threads: int
    digest: str  # of the backbone's parameters: a run never goes on from others than it began with
    size: int  # pixels a side that the network sees
    resize: int
    batch: int = 32
    precision: str = "float32"  # of torch's types
    steps: int = 0  # of a training told in minutes: those that fit, once they were measured
    views: int = 0  # of each picture, that better keeps: 0 until as many as fit on the disk were counted
    layout: str = "channels_last"  # torch's name of how pictures and activations lie in memory
    compiled: bool = False  # whether the training is long enough to be worth compiling the network for it
    full_seconds: float = 0.0  # that training all stages after the last ones takes, in the plan best, as measured before either
    graph: bool = True  # whether frozen passes on processors run as a graph; else, where none can be made, in torch

    def write(self, folder: Path) -> None:
        """Keep the choices in a run's folder."""
        write_json(folder / FILE, asdict(self))

    @classmethod
    def read(cls, folder: Path) -> Choices | None:
        """The choices an earlier worker of this run made, or None."""
        file = folder / FILE
        if not file.exists():
            return None
        try:
            return cls(**read_json(file, RunError))
        except TypeError as error:
            raise RunError(_("{file} is damaged: {reason}.").format(file=file, reason=error), file=file) from error


def choose_device(settings: RunSettings) -> str:
    """`cpu` or `cuda`; raises RunError when a graphics card is asked for that torch can't use."""
    if settings.device == "cuda":
        check_card(_("Choose the device auto or cpu, or install a torch build for your card."))
    return "cuda" if torch.cuda.is_available() and settings.device != "cpu" else "cpu"


def check_card(fix: str) -> None:
    """Raise RunError, with this to do, where torch can use no graphics card."""
    if not torch.cuda.is_available():
        raise RunError(_("There is no graphics card here that torch can use."), code="no-cuda", fix=fix)


def choose_threads(settings: RunSettings) -> int:
    """How many processor cores to use: what was asked for, or all that this process may run on."""
    return settings.threads or usable_cores()


def choose_batch(settings: RunSettings, device: str, pictures: int) -> int:
    """What was asked for; or 32 on a processor, and on a graphics card as many as leave 20 steps an epoch, from 32 to 256."""
    if settings.batch_size:
        return settings.batch_size
    if device == "cpu":
        return 32
    return int(min(256, max(32, 2 ** int(np.log2(max(1, pictures / 20))))))


def choose_precision(settings: RunSettings, device: str) -> str:
    """torch's name of the type that the network computes in while it is trained; raises RunError for one that the device can't train in.

    Other plans than custom take none that was set.
    """
    names = {"float32": "float32", "bf16": "bfloat16", "fp16": "float16"}
    if settings.plan == "custom" and settings.precision != "auto":
        if settings.precision == "fp16" and device == "cpu":
            raise RunError(
                _("Processors don't train in fp16, and there is no graphics card here that torch can use."),
                code="precision-not-possible",
                fix=_("Set precision to auto, float32 or bf16."),
            )
        return names[settings.precision]
    return "float32" if device == "cpu" else "bfloat16" if torch.cuda.is_bf16_supported() else "float16"


def chosen_size(settings: RunSettings) -> int:
    """Pixels a side that were asked for; 0 for the backbone's own, which is all that other plans than custom take."""
    return settings.image_size if settings.plan == "custom" else 0


def resize_for(info: BackboneInfo, size: int) -> int:
    """How large pictures are kept of which the network sees `size` pixels: what is around the centre grows with it, by an even number."""
    return size + 2 * round((info.resize - info.crop) * size / info.crop / 2)
