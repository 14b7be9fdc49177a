"""Write `torchvision.json` from the installed torchvision: `python -m transfer_core.backbones.prepare_catalogue`."""

from __future__ import annotations

import math
import sys
from typing import Any

from torch import nn
from torchvision import __version__, models
from torchvision.models import Weights

from transfer_core.backbones.catalogue import CATALOGUE, SCHEMA, STARTER, info_of, layout_of, own_modules
from transfer_core.backbones.network import find_head, outline, whole_network, without_memory
from transfer_core.backbones.stage_facts import count_stages
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
    weights = models.get_model_weights(name)
    free = [entry for entry in weights if "license" not in entry.meta]
    if not free or weights.DEFAULT in free:
        return weights.DEFAULT
    return max(free, key=_accuracy)


def _accuracy(entry: Weights) -> float:
    """ImageNet top-1 in percent; NaN for weights whose classifier holds no values (VGG16's for object detectors)."""
    return float(entry.meta["_metrics"]["ImageNet-1K"]["acc@1"])


def even_resize(crop: int, resize: int) -> int:
    """`resize`, or one more where the crop would not lie in the middle of whole pixels.

    Pictures are kept once as squares of `resize` pixels, whose centre the network sees; with an odd difference that centre would
    be half a pixel off, to a side that depends on the rounding. It concerns efficientnet_b1 (255) and inception_v3 (342).
    """
    return resize + (resize - crop) % 2


def entries(name: str) -> dict[str, Weights]:
    """The weights of an architecture by what the catalogue calls them: the preferred ones by its plain name, first."""
    first = preferred(name)
    others = [entry for entry in models.get_model_weights(name) if entry is not first]
    return {name: first} | {f"{name}.{entry.name}": entry for entry in others}


def metadata(name: str, entry: Weights) -> dict[str, Any]:
    """What torchvision's metadata says of weights of the architecture `name`; nothing is built."""
    meta, transforms, accuracy = entry.meta, entry.transforms(), _accuracy(entry)
    crop, resize = transforms.crop_size[0], transforms.resize_size[0]
    return {
        "architecture": name,
        "family": models.get_model_builder(name).__module__.rpartition(".")[2],
        "title": _title(entry, preferred(name)),
        "weights": entry.name,
        "weights_file": entry.url.rpartition("/")[2],
        "accuracy": None if math.isnan(accuracy) else accuracy,
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


def _title(entry: Weights, first: Weights) -> str:
    title = type(entry).__name__.removesuffix("_Weights").replace("_", " ")
    return title if entry is first else f"{title} ({entry.name.partition('_')[2].replace('_', ' ')})"


def built(entry: dict[str, Any]) -> dict[str, Any]:
    """What only the network tells that was built for `entry`: its head, the count of features before it, and its layout."""
    with without_memory(entry["family"]):
        network = whole_network(entry["architecture"], entry["family"], entry["minimum_size"])
    head = find_head(network)
    if entry["accuracy"] is None:  # nothing in the classifier has values, the hidden layers neither
        head = head.partition(".")[0]
    first = next(module for module in network.get_submodule(head).modules() if isinstance(module, nn.Linear | nn.Conv2d))
    shapes = {key: tensor.shape for key, tensor in network.state_dict().items() if not key.startswith(f"{head}.")}
    return {
        "feature_count": first.in_features if isinstance(first, nn.Linear) else first.in_channels,
        "head": head,
        "modules": list(own_modules(shapes, head)),
        "layout": layout_of(shapes),
    }


def stages(name: str, entry: dict[str, Any]) -> list[Any]:
    """What each stage costs at the crop of these weights."""
    info = info_of(name, entry | {"stages": []})
    return [facts.as_data() for facts in count_stages(outline(info), info.crop)]


def starter(entry: dict[str, Any]) -> dict[str, Any]:
    """The starter's entry: the convolutions of `STARTER_IS`, with weights of our own. The size is read from its file."""
    features = whole_network(STARTER_IS, entry["family"], entry["minimum_size"]).get_submodule("features")
    state = features.state_dict(prefix="features.")
    return entry | {
        "architecture": STARTER,
        "title": "Starter",
        "weights": "",
        "weights_file": "",
        "accuracy": None,
        "parameters": sum(parameter.numel() for parameter in features.parameters()),
        "file_size": 0,
        "licence": STARTER_LICENCE,
        "feature_count": next(tensor for key, tensor in reversed(state.items()) if key.endswith("running_var")).numel(),
        "head": "",
        "modules": list(own_modules(state, "")),
        "layout": layout_of({key: tensor.shape for key, tensor in state.items()}),
    }


def prepare() -> dict[str, Any]:
    """The whole catalogue as `torchvision.json` holds it. Builds every network: a minute, 3 GB for the largest RegNet."""
    known = {key: metadata(name, entry) for name in names() for key, entry in entries(name).items()}
    networks: dict[tuple[str, int, bool], dict[str, Any]] = {}
    for entry in known.values():
        network = (entry["architecture"], entry["minimum_size"], entry["accuracy"] is None)
        if network not in networks:
            print(*network[:2], file=sys.stderr)
            networks[network] = built(entry)
        entry |= networks[network]
    counted: dict[tuple[str, int, int, bool], list[Any]] = {}
    for name, entry in known.items():
        network_at = (entry["architecture"], entry["minimum_size"], entry["crop"], entry["accuracy"] is None)
        if network_at not in counted:
            counted[network_at] = stages(name, entry)
        entry["stages"] = counted[network_at]
    in_order = sorted(known, key=lambda key: "." in key)  # a stable order: the preferred ones, then the others
    first = starter(known[STARTER_IS])
    backbones = {STARTER: first | {"stages": stages(STARTER, first)}} | {key: known[key] for key in in_order}
    return {"schema": SCHEMA, "torchvision": version(), "backbones": backbones}


if __name__ == "__main__":
    write_json(CATALOGUE, prepare())
