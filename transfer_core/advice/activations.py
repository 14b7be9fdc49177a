"""How many numbers a network computes for one picture, all of its layers together: what training it keeps in memory.

`activations.json` has it for torchvision's networks, counted once: `python -m transfer_core.advice.activations`. No torch on import.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from transfer_core.backbones.catalogue import BackboneInfo, catalogue
from transfer_core.files import write_json

FILE = Path(__file__).with_name("activations.json")
# Of networks that were not counted: it grows with the cube root of the work, as far as it can be told from that alone.
PER_GIGA = 25e6


def activations(info: BackboneInfo) -> float:
    """The numbers that all layers of a network give for one picture of its crop; an estimate where they were not counted."""
    return _counted().get(_key(info)) or PER_GIGA * float(info.multiply_adds ** (1 / 3))


@cache
def _counted() -> dict[str, float]:
    return dict(json.loads(FILE.read_bytes())["activations"])


def _key(info: BackboneInfo) -> str:
    return f"{info.architecture}-{info.crop}"


def count(info: BackboneInfo) -> int:
    """Count them; nothing is computed: the network is on the meta device."""
    import torch

    from transfer_core.backbones.network import outline

    backbone = outline(info).to("meta").eval()
    total = 0

    def add(module: torch.nn.Module, given: object, output: object) -> None:
        nonlocal total
        if isinstance(output, torch.Tensor):
            total += output.numel()

    for module in backbone.modules():
        if not list(module.children()):
            module.register_forward_hook(add)
    with torch.no_grad():
        backbone(torch.empty(1, 3, info.crop, info.crop, device="meta"))
    return total


def main() -> None:
    """Count all networks but timm's, and write them down."""
    infos = {_key(info): info for info in catalogue().values() if info.family != "timm"}
    write_json(FILE, {"schema": 1, "activations": {key: count(info) for key, info in sorted(infos.items())}})


if __name__ == "__main__":
    main()
