"""Write `torchvision.json` from the installed torchvision: `python -m transfer_core.backbones.prepare_catalogue`."""

from __future__ import annotations

import sys
from typing import Any

from torch import nn
from torchvision import __version__, models
from torchvision.models import Weights

from transfer_core.backbones.catalogue import CATALOGUE, SCHEMA, STARTER, layout_of
from transfer_core.backbones.network import find_head, whole_network, without_memory
from transfer_core.files import write_json

MIB = 2**20
STARTER_IS = "mobilenet_v3_small"  # whose `features` the starter's parameters are
STARTER_LICENCE = "Apache-2.0"


def version() -> str:
    """Torchvision's version without the build's suffix, such as 0.29.1."""
    return str(__version__).partition("+")[0]


def names() -> list[str]:
    """Torchvision's classification networks, in its own order."""
    return list(models.list_models(module=models))


def preferred(name: str) -> Weights:
    """Torchvision's default weights, unless their licence forbids uses and others of this network have none.

    The weights with a licence of their own (SWAG) are for non-commercial use, which must be chosen knowingly.
    """
    entries = models.get_model_weights(name)
    free = [entry for entry in entries if "license" not in entry.meta]
    if not free or entries.DEFAULT in free:
        return entries.DEFAULT
    return max(free, key=_accuracy)


def _accuracy(entry: Weights) -> float:
    return float(entry.meta["_metrics"]["ImageNet-1K"]["acc@1"])


def even_resize(crop: int, resize: int) -> int:
    """`resize`, or one more where the crop would not lie in the middle of whole pixels.

    Pictures are kept once as squares of `resize` pixels, whose centre the network sees; with an odd difference that centre would
    be half a pixel off, to a side that depends on the rounding. It concerns efficientnet_b1 (255) and inception_v3 (342).
    """
    return resize + (resize - crop) % 2


def metadata(name: str) -> dict[str, Any]:
    """What torchvision's metadata says of `name`; nothing is built."""
    entry = preferred(name)
    meta, transforms = entry.meta, entry.transforms()
    crop, resize = transforms.crop_size[0], transforms.resize_size[0]
    return {
        "family": models.get_model_builder(name).__module__.rpartition(".")[2],
        "title": type(entry).__name__.removesuffix("_Weights").replace("_", " "),
        "weights": entry.name,
        "accuracy": _accuracy(entry),
        "parameters": meta["num_params"],
        "multiply_adds": meta["_ops"],  # called GFLOPS in torchvision's tables, but counted in multiply-adds
        "file_size": round(meta["_file_size"] * MIB),
        "crop": crop,
        "resize": even_resize(crop, resize),
        "mean": list(transforms.mean),
        "std": list(transforms.std),
        "licence": meta.get("license"),
        "minimum_size": max(meta["min_size"]),
    }


def architecture(name: str, family: str, size: int) -> dict[str, Any]:
    """What only the built network tells: its head, the count of features before it, and its layout."""
    with without_memory(family):
        network = whole_network(name, family, size)
    head = find_head(network)
    leaf = network.get_submodule(head)
    shapes = {key: tensor.shape for key, tensor in network.state_dict().items() if not key.startswith(f"{head}.")}
    count = leaf.in_features if isinstance(leaf, nn.Linear) else leaf.in_channels
    return {"feature_count": count, "head": head, "layout": layout_of(shapes)}


def starter(entry: dict[str, Any]) -> dict[str, Any]:
    """The starter's entry: the convolutions of `STARTER_IS`, with weights of our own. The size is read from its file."""
    features = whole_network(STARTER_IS, entry["family"], entry["minimum_size"]).get_submodule("features")
    state = features.state_dict(prefix="features.")
    return entry | {
        "title": "Starter",
        "weights": "",
        "accuracy": None,
        "parameters": sum(parameter.numel() for parameter in features.parameters()),
        "file_size": 0,
        "licence": STARTER_LICENCE,
        "feature_count": next(tensor for key, tensor in reversed(state.items()) if key.endswith("running_var")).numel(),
        "head": "",
        "layout": layout_of({key: tensor.shape for key, tensor in state.items()}),
    }


def prepare() -> dict[str, Any]:
    """The whole catalogue as `torchvision.json` holds it. Builds every network: half a minute, 3 GB for the largest RegNet."""
    backbones: dict[str, Any] = {}
    for name in names():
        print(name, file=sys.stderr)
        entry = metadata(name)
        backbones[name] = entry | architecture(name, entry["family"], entry["minimum_size"])
    return {"schema": SCHEMA, "torchvision": version(), "backbones": {STARTER: starter(backbones[STARTER_IS])} | backbones}


if __name__ == "__main__":
    write_json(CATALOGUE, prepare())
