"""How pictures and activations lie in memory while a network is trained: on a graphics card whichever was measured to be faster."""

from __future__ import annotations

import time
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch.nn import functional

from transfer_core.backbones.catalogue import BackboneInfo
from transfer_core.backbones.network import build_backbone
from transfer_core.errors import RunError, TransferError
from transfer_core.files import read_json, write_json
from transfer_core.models.transfer_model import TransferModel
from transfer_core.places import own_folder

LAYOUTS = ("channels_last", "contiguous_format")  # as torch names them
BATCH, WARM, STEPS, ROUNDS = 32, 2, 5, 3


def choose_layout(info: BackboneInfo, precision: str) -> str:
    """The faster one of LAYOUTS for the backbone's family on this graphics card: measured once, and kept for all projects."""
    file = own_folder("measured") / "layouts.json"
    known = _read(file)
    name = f"{torch.cuda.get_device_name()}, {info.family}, {precision}"
    if known.get(name) not in LAYOUTS:
        try:
            known = _read(file) | {name: faster_layout(info, torch.device("cuda"), getattr(torch, precision))}
        except torch.OutOfMemoryError:
            return LAYOUTS[0]  # the card is busy with something else: next time it may be told
        write_json(file, known)
    return str(known[name])


def faster_layout(info: BackboneInfo, device: torch.device, precision: torch.dtype) -> str:
    """The layout in which a few training steps of an untrained network took less time, one after the other in each round."""
    model = TransferModel(build_backbone(info).freeze("none"), 2).to(device).train()
    pictures = torch.rand(BATCH, 3, info.crop, info.crop, device=device)
    times: dict[str, list[float]] = {name: [] for name in LAYOUTS}
    for _round in range(ROUNDS):
        for name in LAYOUTS:
            arranged(model, name)
            for _step in range(WARM):
                _step_of(model, pictures, precision)
            started = time.perf_counter()
            for _step in range(STEPS):
                loss = _step_of(model, pictures, precision)
            float(loss)  # a graphics card is waited for
            times[name].append(time.perf_counter() - started)
    return min(LAYOUTS, key=lambda name: median(times[name]))


def arranged(model: TransferModel, layout: str) -> TransferModel:
    """The model with its parameters in that layout, to which what it is given is brought too."""
    model.layout = getattr(torch, layout)
    return model.to(memory_format=model.layout)


def _step_of(model: TransferModel, pictures: torch.Tensor, precision: torch.dtype) -> torch.Tensor:
    model.zero_grad(set_to_none=True)
    with torch.autocast(pictures.device.type, precision, enabled=precision != torch.float32):
        logits = model(model.source.normalise(pictures.contiguous(memory_format=model.layout)))
    loss = functional.cross_entropy(logits.float(), torch.zeros(len(pictures), dtype=torch.int64, device=pictures.device))
    loss.backward()
    return loss.detach()


def _read(file: Path) -> dict[str, Any]:
    try:
        return dict(read_json(file, RunError)) if file.exists() else {}
    except TransferError:
        return {}  # what was measured can be measured again
