"""What may be done to a training picture each time it is shown: switches, presets of them, and both in words. Without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from transfer_core.i18n import _

# The numbers' least and most; further out, pictures stop being what their label says, or the geometry folds over.
RANGES = {
    "area": (0.05, 1.0),
    "aspect": (1.0, 2.0),
    "rotate": (0.0, 180.0),
    "light": (0.0, 0.9),
    "colour": (0.0, 0.9),
    "grey": (0.0, 1.0),
    "blur": (0.0, 1.0),
    "noise": (0.0, 0.3),
    "erase": (0.0, 1.0),
    "perspective": (0.0, 0.5),
}


@dataclass(frozen=True)
class Augmentation:
    """The switches; as it is made without any, nothing is done. Raises ValueError for a number outside `RANGES`."""

    area: float = 1.0
    """The smallest share of the picture that a cut-out keeps; 1: no cutting out."""
    aspect: float = 1.0
    """The largest stretch of width against height, or the other way; 1: none."""
    mirror: bool = False
    """Left and right exchanged, half of the time."""
    upside_down: bool = False
    """Top and bottom exchanged, half of the time."""
    quarter_turns: bool = False
    """Turned by none, one, two or three quarters, each as often."""
    rotate: float = 0.0
    """Turned by so many degrees at most, either way."""
    light: float = 0.0
    """Brightness and contrast changed by this share at most."""
    colour: float = 0.0
    """Saturation changed by this share at most, and hue by a quarter of it of the way around the circle of colours."""
    grey: float = 0.0
    """The chance to be shown without colour."""
    blur: float = 0.0
    """The chance to be blurred."""
    noise: float = 0.0
    """The most noise that is added: its standard deviation, as a share of the way from black to white."""
    erase: float = 0.0
    """The chance that a rectangle of 2 to 33 % of the picture is blanked."""
    perspective: float = 0.0
    """How much shorter one side may look than the one across from it, as if seen from an angle."""

    def __post_init__(self) -> None:
        for name, (least, most) in RANGES.items():
            if not least <= getattr(self, name) <= most:
                raise ValueError(f"{name} must be from {least} to {most}, got {getattr(self, name)}")

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Augmentation:
        """The augmentation that `as_data` told of; raises TypeError for a name that is no switch, ValueError for a bad number."""
        unknown = sorted(set(data) - {field.name for field in fields(cls)})
        if unknown:
            raise TypeError(f"no switches of an augmentation: {', '.join(unknown)}")
        values: dict[str, Any] = {name: bool(value) if name in TURNS else float(value) for name, value in data.items()}
        return cls(**values)

    def as_data(self) -> dict[str, float | bool]:
        """The switches by name, as JSON has them."""
        return asdict(self)

    @property
    def moves(self) -> bool:
        """Whether pixels are shown elsewhere than they are; otherwise only their colours may change."""
        geometry = (self.mirror, self.upside_down, self.quarter_turns, self.rotate, self.perspective)
        return self.area < 1 or self.aspect > 1 or any(geometry)


TURNS = ("mirror", "upside_down", "quarter_turns")

NONE = Augmentation()
# What every training had before there was a choice. Inception's cut-outs (Szegedy et al., 2015), as in torchvision's reference recipes,
# whose smallest are 8 % of the picture: made for a million pictures. With a few hundred, what is pictured must still be in there.
GENTLE = Augmentation(area=0.35, aspect=4 / 3, mirror=True, light=0.2)
Preset = Literal["none", "gentle", "strong", "orientation-free", "document", "medical"]
PRESETS: dict[str, Augmentation] = {
    "none": NONE,
    "gentle": GENTLE,
    # One of each kind that RandAugment (Cubuk et al., 2020) and TrivialAugment (Mueller and Hutter, 2021) draw from, well below their
    # largest; less colour than SimCLR (Chen et al., 2020), whose blur and grey pictures these are; blanked rectangles as in torchvision's
    # recipes (Zhong et al., 2020), oftener than there, because small sets are learnt by heart sooner.
    "strong": Augmentation(
        area=0.25,
        aspect=4 / 3,
        mirror=True,
        rotate=15,
        light=0.4,
        colour=0.3,
        grey=0.1,
        blur=0.1,
        noise=0.05,
        erase=0.25,
        perspective=0.2,
    ),
    # Through a microscope and from the air there is no up: every angle is as likely, and size and shape tell more than place. Dyes and
    # weather change the colours (Tellez et al., 2019, on dyes in microscopy: varying the colours decided most).
    "orientation-free": Augmentation(
        area=0.5, aspect=1.1, mirror=True, upside_down=True, quarter_turns=True, rotate=45, light=0.2, colour=0.15
    ),
    # Writing has one direction and is read whole: no mirroring, hardly any cutting. What differs is how it was photographed or scanned:
    # from an angle, in bad light, out of focus, with a grain.
    "document": Augmentation(area=0.8, aspect=1.1, rotate=5, light=0.3, blur=0.2, noise=0.04, perspective=0.15),
    # Brightness is a measurement, colour mostly none, and a finding may be small and at the rim. Mirrored as in CheXNet (Rajpurkar et al.,
    # 2017), turned by 10 degrees as in MoCo-CXR (Sowrirajan et al., 2021), which avoids blur and hard cut-outs: they change the label.
    "medical": Augmentation(area=0.8, mirror=True, rotate=10, light=0.1),
}


def title(name: str) -> str:
    """What the preset `name` is called; the name itself for one that there is not."""
    titles = {
        "none": _("None"),
        "gentle": _("Gentle"),
        "strong": _("Strong"),
        "orientation-free": _("Orientation-free: microscopy, aerial"),
        "document": _("Documents"),
        "medical": _("Medical"),
    }
    return titles.get(name, name)


def sentences(augmentation: Augmentation) -> list[str]:
    """What is done to a picture each time it is shown, a sentence a switch; one that says so where that is nothing."""
    told = [*_of_place(augmentation), *_of_looks(augmentation)]
    return told or [_("Every picture is shown as it is.")]


def _of_place(augmentation: Augmentation) -> list[str]:
    told = []
    if augmentation.area < 1:
        told.append(_("Between {least} and 100 % of the picture is shown.").format(least=_percent(augmentation.area)))
    if augmentation.aspect > 1:
        told.append(_("Stretched by up to {share} % in width or height.").format(share=_percent(augmentation.aspect - 1)))
    if augmentation.mirror:
        told.append(_("Mirrored half of the time."))
    if augmentation.upside_down:
        told.append(_("Upside down half of the time."))
    told += _of_turns(augmentation)
    if augmentation.perspective:
        share = _percent(augmentation.perspective)
        told.append(_("Seen from an angle: one side up to {share} % shorter than the other.").format(share=share))
    return told


def _of_turns(augmentation: Augmentation) -> list[str]:
    degrees = f"{augmentation.rotate:g}"
    if augmentation.rotate >= (45 if augmentation.quarter_turns else 180):
        return [_("Turned to any angle.")]
    told = [_("Turned by quarters, each way up equally often.")] if augmentation.quarter_turns else []
    return [*told, _("Turned by up to {degrees}° either way.").format(degrees=degrees)] if augmentation.rotate else told


def _of_looks(augmentation: Augmentation) -> list[str]:
    possible = {
        "light": _("Brightness and contrast changed by up to {share} %."),
        "colour": _("Colours changed by up to {share} %."),
        "grey": _("Without colour {share} % of the time."),
        "blur": _("Blurred {share} % of the time."),
        "noise": _("With up to {share} % of noise."),
        "erase": _("A part blanked {share} % of the time."),
    }
    values = {name: getattr(augmentation, name) for name in possible}
    return [text.format(share=_percent(values[name])) for name, text in possible.items() if values[name]]


def _percent(share: float) -> str:
    return f"{100 * share:.3g}" if share < 0.1 else f"{100 * share:.0f}"
