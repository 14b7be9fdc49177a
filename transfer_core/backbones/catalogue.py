"""The backbones there are: the built-in starter and torchvision's classification networks. Never imports torch."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

from transfer_core.backbones.stage_facts import StageFacts
from transfer_core.errors import BackboneError, TransferError
from transfer_core.files import read_json
from transfer_core.i18n import _
from transfer_core.images.view import View
from transfer_core.places import own_folder

SCHEMA = 2
CATALOGUE = Path(__file__).parent / "torchvision.json"
STARTER = "starter"
STARTER_FILE = Path(__file__).parent / "starter" / "starter.safetensors"
# timm states licences by their short names; those that all may use for anything.
PERMISSIVE = frozenset({"apache-2.0", "mit", "bsd-3-clause", "bsd-2-clause", "isc", "cc-by-4.0", "cc0-1.0"})
# CC-BY-NC 4.0 is what stands at this address; torchvision's metadata gives no more than the address.
NON_COMMERCIAL = "https://github.com/facebookresearch/SWAG/"

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class BackboneInfo:
    """What is known of a backbone before its weights are here, from torchvision's own metadata."""

    name: str  # "resnet50" for an architecture's preferred weights, "resnet50.IMAGENET1K_V1" for others, or "starter"
    architecture: str  # torchvision's builder, such as "resnet50", or timm's as "timm/resnet50"; "starter" for the starter
    family: str  # torchvision's module, such as "resnet"; stages are told by family. "timm" for timm's, "" for the user's own
    title: str  # for people
    weights: str  # torchvision's entry, such as IMAGENET1K_V2; "" for the starter
    weights_file: str  # the published file's name, such as resnet50-11ad3fa6.pth; "" for the starter
    accuracy: float | None  # ImageNet top-1, percent; None where nothing was measured
    parameters: int  # of the whole network, classifier included
    multiply_adds: float  # for one picture of `crop` pixels, in units of 10^9
    file_size: int  # of the weights, bytes
    crop: int  # side of what the network was evaluated on, pixels
    resize: int  # side of the square that `crop` is the centre of, pixels
    mean: Triple  # of RGB values in 0..1
    std: Triple
    licence: str | None  # where torchvision states one; None: as torchvision and ImageNet
    minimum_size: int  # smallest side that torchvision vouches for, pixels
    feature_count: int  # D of the pooled features
    head: str  # torchvision's name of the classifier that a backbone leaves off; "" where there is none
    modules: tuple[str, ...]  # what holds the parameters without the head: the first parts of their names
    layout: str  # digest of the names and shapes of the parameters without the head
    stages: tuple[StageFacts, ...] = ()  # what each stage costs; empty where it was not counted

    @property
    def view(self) -> View:
        """The written-down resize that pictures for this backbone get."""
        return View(self.crop, self.resize)

    @property
    def non_commercial(self) -> bool:
        """Whether the licence forbids commercial use: to be said wherever it is shown, and never chosen for the user."""
        return self.licence is not None and (self.licence.startswith(NON_COMMERCIAL) or "nc" in self.licence.lower().split("-"))

    @property
    def may_be_recommended(self) -> bool:
        """Whether the weights are free for every use, as far as their publisher says: others are the user's own decision."""
        if self.family == "timm":
            return (self.licence or "").lower() in PERMISSIVE
        return not self.non_commercial

    def is_called(self, text: str) -> bool:
        """Whether `text` names this backbone, spelled out or not."""
        architecture, _dot, weights = text.partition(".")
        return text == self.name or (bool(weights) and (architecture, weights.upper()) == (self.architecture, self.weights))

    def holds(self, name: str) -> bool:
        """Whether a parameter of that name lies in one of the backbone's own modules."""
        return any(name == module or name.startswith(f"{module}.") for module in self.modules)


def catalogue() -> dict[str, BackboneInfo]:
    """All backbones by name: the starter, every architecture with its preferred weights, the other weights, then timm's if installed."""
    found = _read() | _of_timm()
    if STARTER_FILE.exists():
        found[STARTER] = replace(found[STARTER], file_size=STARTER_FILE.stat().st_size)
    return found


@cache
def _read() -> dict[str, BackboneInfo]:
    entries = json.loads(CATALOGUE.read_bytes())["backbones"]
    return {name: info_of(name, entry) for name, entry in entries.items()}


def timm_file() -> Path | None:
    """Where `timm_catalogue` writes what the installed timm has; None where timm is not installed."""
    version = _timm_version()
    return own_folder("catalogue") / f"timm-{version}.json" if version else None


@cache
def _timm_version() -> str | None:
    # Once: it looks through all that is installed, and the catalogue is asked for with every card of a page.
    try:
        return metadata.version("timm")
    except metadata.PackageNotFoundError:
        return None


def _of_timm() -> dict[str, BackboneInfo]:
    file = timm_file()
    try:
        return _read_timm(file, file.stat().st_mtime_ns) if file else {}
    except (OSError, TransferError, KeyError, TypeError):
        return {}  # not prepared yet, or not whole: it is prepared again


@lru_cache(1)
def _read_timm(file: Path, _changed: int) -> dict[str, BackboneInfo]:
    return {name: info_of(name, entry) for name, entry in read_json(file)["backbones"].items()}


def info_of(name: str, entry: dict[str, Any]) -> BackboneInfo:
    """The backbone that an entry of a catalogue file describes."""
    plain = {key: tuple(entry[key]) for key in ("mean", "std", "modules")}
    stages = tuple(StageFacts.from_data(row) for row in entry.get("stages", ()))
    return BackboneInfo(name=name, **(entry | plain | {"stages": stages}))


def backbone_info(name: str) -> BackboneInfo:
    """The backbone of that name; raises BackboneError naming those that are spelled like it.

    The preferred weights may be spelled out ("resnet50.IMAGENET1K_V2" is "resnet50"), and their part of the name in small letters.
    """
    known = catalogue()
    if name in known:
        return known[name]
    for info in known.values():
        if info.is_called(name):
            return info
    close = difflib.get_close_matches(name.lower(), known, n=3, cutoff=0.5)
    raise BackboneError(
        _("There is no backbone named {name}.").format(name=name),
        code="unknown-backbone",
        fix=_("Did you mean {names}?").format(names=", ".join(close))
        if close
        else _("The command `transfer-studio backbones` lists them."),
    )


def file_name(name: str) -> str:
    """A backbone's name as a part of file names on every system."""
    return name.replace("/", "--")


def layout_of(shapes: Mapping[str, Iterable[int]]) -> str:
    """A digest of parameter names and shapes: what tells one architecture's state dict from another's.

    BatchNorm's batch counters don't count: files saved before torch 0.4.1 lack them.
    """
    lines = (f"{name}:{','.join(map(str, shape))}" for name, shape in shapes.items() if not is_counter(name))
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()[:16]


def own_modules(names: Iterable[str], head: str) -> tuple[str, ...]:
    """What holds the parameters of these names: their first parts, or first two beside the head, in the network's order."""
    place = head.partition(".")[0]
    parts = ([*name.split(".")[: 2 if name.partition(".")[0] == place else 1]] for name in names)
    return tuple(dict.fromkeys(".".join(part) for part in parts))


def is_counter(name: str) -> bool:
    """Whether `name` is BatchNorm's count of batches, which eval mode never reads."""
    return name.rpartition(".")[2] == "num_batches_tracked"
