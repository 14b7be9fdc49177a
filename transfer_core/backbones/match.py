"""How the names and shapes in a file fit a backbone's: prefixes that wrappers add don't count, and neither do other heads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from transfer_core.backbones.catalogue import BackboneInfo, catalogue, is_counter, layout_of
from transfer_core.i18n import ngettext

Shapes = Mapping[str, tuple[int, ...]]

# What DataParallel, trainers, and a model of backbone and head put before torchvision's names, in any order and number.
PREFIXES = ("module.", "model.", "backbone.")
COMPILED = "_orig_mod."  # torch.compile's, before whatever was compiled


@dataclass(frozen=True)
class Match:
    """How a file's parameters fit a backbone's, by torchvision's names."""

    backbone: str
    matched: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    left_over: list[str] = field(default_factory=list)  # in the file alone, such as its classifier
    other_shape: list[str] = field(default_factory=list)
    in_the_way: list[str] = field(default_factory=list)  # those left over that lie in the backbone's own modules

    @property
    def fits(self) -> bool:
        """Whether all of the backbone is there, and nothing says that the file is of a larger network."""
        return not (self.missing or self.other_shape or self.in_the_way)


def match_names(info: BackboneInfo, expected: Shapes, given: Shapes) -> Match:
    """Hold what a file has against what the backbone needs, both by torchvision's names."""
    return Match(
        backbone=info.name,
        matched=[name for name, shape in expected.items() if given.get(name) == shape],
        missing=[name for name in expected if name not in given and not is_counter(name)],
        left_over=[name for name in given if name not in expected],
        other_shape=[name for name, shape in expected.items() if name in given and given[name] != shape],
        in_the_way=[name for name in given if name not in expected and info.holds(name)],
    )


def without_prefixes(names: Iterable[str], expected: Shapes, given: Shapes) -> dict[str, str]:
    """What the file calls each parameter, by the name without the prefixes that make most of them match `expected`.

    The shortest prefix is taken where several do equally well; names without it stay as they are.
    """
    names = list(names)
    ways = [stripped(names, prefix) for prefix in prefixes(names)]
    return max(ways, key=lambda way: sum(expected.get(name) == given[own] for name, own in way.items()))


def prefixes(names: Iterable[str]) -> list[str]:
    """What could be taken off the beginning of `names`, shortest first: "", "module.", "module.model.", ..."""
    found = {"": None}
    for name in names:
        rest = name.replace(COMPILED, "")
        prefix = ""
        while first := next((each for each in PREFIXES if rest.startswith(each)), None):
            prefix, rest = prefix + first, rest.removeprefix(first)
            found[prefix] = None
    return sorted(found, key=len)


def stripped(names: Iterable[str], prefix: str) -> dict[str, str]:
    """The file's own names by those without `prefix`; of two that become alike, the one that had it."""
    plain = {name: name.replace(COMPILED, "") for name in names}
    others = {short: name for name, short in plain.items() if not short.startswith(prefix)}
    return others | {short.removeprefix(prefix): name for name, short in plain.items() if short.startswith(prefix)}


def fitting(given: Shapes) -> BackboneInfo | None:
    """The backbone that a file's names and shapes are of, whatever its head; None where it is none of ours.

    Of several that fit, the one that takes in most of the file: the starter is the first part of another network.
    """
    layouts: dict[tuple[str, ...], dict[str, list[BackboneInfo]]] = {}
    for info in catalogue().values():
        layouts.setdefault(info.modules, {}).setdefault(info.layout, []).append(info)
    found: list[tuple[int, BackboneInfo]] = []
    for prefix in prefixes(given):
        names = stripped(given, prefix)
        for infos in layouts.values():
            holder = next(iter(infos.values()))[0]
            own = {name: given[names[name]] for name in names if holder.holds(name)}
            found += [(len(own), fit[0]) for fit in (infos.get(layout_of(own)),) if own and fit]
    return max(found, key=lambda pair: pair[0])[1] if found else None


def differences(match: Match, expected: Shapes, given: Shapes) -> list[str]:
    """What is missing, in the way or of another shape, each as a part of a sentence with its first example."""
    parts = []
    if match.missing:
        count = len(match.missing)
        text = ngettext("{count} parameter is missing ({name})", "{count} parameters are missing (such as {name})", count)
        parts.append(text.format(count=count, name=match.missing[0]))
    if match.in_the_way:
        count = len(match.in_the_way)
        text = ngettext("{count} is left over ({name})", "{count} are left over (such as {name})", count)
        parts.append(text.format(count=count, name=match.in_the_way[0][:80]))
    if match.other_shape:
        count, name = len(match.other_shape), match.other_shape[0]
        text = ngettext(
            "{count} has another shape ({name}: {given} instead of {expected})",
            "{count} have other shapes (such as {name}: {given} instead of {expected})",
            count,
        )
        parts.append(text.format(count=count, name=name, given=_shape(given[name]), expected=_shape(expected[name])))
    return parts


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "1"
