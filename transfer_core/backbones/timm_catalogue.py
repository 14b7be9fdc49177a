"""What timm says of its pretrained networks, written down once for the pages: `python -m transfer_core.backbones.timm_catalogue`.

Which there are, their licences and sizes come from timm's own metadata; parameters and multiply-adds are counted by building every
architecture on the meta device: some minutes, once for each version of timm. timm publishes no accuracy with the package.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from transfer_core.backbones.catalogue import layout_of, own_modules, timm_file
from transfer_core.backbones.prepare_catalogue import even_resize
from transfer_core.backbones.published import on_the_hub
from transfer_core.backbones.timm_models import PREFIX
from transfer_core.files import write_json

SCHEMA = 1
Progress = Callable[[int, int], None]
ShouldStop = Callable[[], bool]


def entries() -> Iterator[tuple[str, Any]]:
    """timm's names of pretrained networks that look at RGB pictures, with their configuration."""
    from timm.models import get_pretrained_cfg, list_pretrained

    for name in list_pretrained():
        config = get_pretrained_cfg(name)
        if config is not None and config.input_size[0] == 3 and config.hf_hub_id and not config.custom_load:
            yield name, config


def metadata(name: str, config: Any) -> dict[str, Any]:
    """What the configuration alone tells."""
    crop = max(config.input_size[1:])
    head = config.classifier if isinstance(config.classifier, str) else (config.classifier or ("",))[0]
    return {
        "architecture": PREFIX + config.architecture,
        "family": "timm",
        "title": name,
        "weights": config.tag or "",
        "weights_file": on_the_hub(config.hf_hub_id, config.hf_hub_filename or "model.safetensors"),
        "accuracy": None,
        "crop": crop,
        "resize": even_resize(crop, round(crop / (config.crop_pct or 1.0))),
        "mean": list(config.mean),
        "std": list(config.std),
        "licence": config.license,
        "minimum_size": crop,
        "head": head if config.num_classes else "",
    }


@torch.no_grad()
def counted(architecture: str, crop: int, head: str) -> dict[str, Any] | None:
    """What only the built network tells; None for one that can't be built without memory or gives no single row of features."""
    import timm

    try:
        with torch.device("meta"):
            network: nn.Module = timm.create_model(architecture, pretrained=False, num_classes=0).eval()
            with FlopCounterMode(display=False) as counter:
                features = network(torch.empty(1, 3, crop, crop))
    except Exception:  # architectures fail in their own ways: operators without a meta kernel, values read while building
        return None
    if not isinstance(features, torch.Tensor) or features.ndim != 2:
        return None
    state = network.state_dict()
    size = sum(tensor.numel() * tensor.element_size() for tensor in state.values())
    return {
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "multiply_adds": counter.get_total_flops() / 2e9,
        "file_size": size,
        "feature_count": features.shape[1],
        "modules": list(own_modules(state, head)),
        "layout": layout_of({key: tensor.shape for key, tensor in state.items()}),
        "stages": [],
    }


def prepare(progress: Progress | None = None, should_stop: ShouldStop | None = None) -> dict[str, Any] | None:
    """All of timm's pretrained networks as catalogue entries, by name; None when it was asked to stop."""
    found: dict[str, Any] = {}
    networks: dict[tuple[str, int], dict[str, Any] | None] = {}
    known = list(entries())
    for done, (name, config) in enumerate(known):
        if should_stop and should_stop():
            return None
        entry = metadata(name, config)
        key = (config.architecture, entry["crop"])
        if key not in networks:
            networks[key] = counted(*key, entry["head"])
        if (built := networks[key]) is not None:
            found[PREFIX + name] = entry | built
        if progress:
            progress(done + 1, len(known))
    return found


def write(progress: Progress | None = None, should_stop: ShouldStop | None = None) -> int:
    """Write the entries where the catalogue looks for them; gives how many there are, 0 when it was asked to stop."""
    found = prepare(progress, should_stop)
    if found is None:
        return 0
    file = timm_file()
    assert file is not None, "timm was imported, so it is installed"
    write_json(file, {"schema": SCHEMA, "backbones": found})
    return len(found)


if __name__ == "__main__":
    print(write(lambda done, total: print(f"\r{done} of {total}", end="", file=sys.stderr)))
