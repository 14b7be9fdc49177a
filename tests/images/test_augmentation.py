"""The switches as values: what may be said, what is kept of it, and that every switch has its words."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from transfer_core.images.augmentation import GENTLE, NONE, PRESETS, RANGES, TURNS, Augmentation, sentences, title

SWITCHES = [field.name for field in fields(Augmentation)]
ON: dict[str, Any] = dict.fromkeys(TURNS, True) | dict.fromkeys(RANGES, 0.25) | {"area": 0.7, "aspect": 1.2, "rotate": 12.0}


def with_one(name: str, value: Any) -> Augmentation:
    return Augmentation(**{name: value})


def test_the_presets_are_those_that_the_form_offers() -> None:
    assert list(PRESETS) == ["none", "gentle", "strong", "orientation-free", "document", "medical"]
    assert PRESETS["none"] == NONE == Augmentation() and PRESETS["gentle"] == GENTLE
    assert len({title(name) for name in PRESETS}) == len(PRESETS)
    assert title("of a newer program") == "of a newer program"


def test_gentle_is_what_it_always_was() -> None:
    """Views kept at the boundary were drawn with these numbers."""
    assert replace(NONE, area=0.35, aspect=4 / 3, mirror=True, light=0.2) == GENTLE


def test_presets_keep_what_the_label_hangs_on() -> None:
    """Writing is not mirrored; brightness and shape in a medical picture are what is measured."""
    document, medical = PRESETS["document"], PRESETS["medical"]
    assert not (document.mirror or document.upside_down or document.quarter_turns) and document.rotate <= 10
    assert not (medical.colour or medical.grey or medical.blur or medical.erase or medical.upside_down) and medical.aspect == 1
    free = PRESETS["orientation-free"]
    assert free.mirror and free.upside_down and free.quarter_turns and free.rotate >= 45


@pytest.mark.parametrize("name", SWITCHES)
def test_every_switch_has_its_words(name: str) -> None:
    """One that is on is told, alone and among others, and one that is off is not."""
    alone = sentences(replace(NONE, **{name: ON[name]}))
    assert len(alone) == 1 and alone != sentences(NONE)
    others = [other for other in SWITCHES if other != name]
    assert alone[0] not in sentences(Augmentation(**{other: ON[other] for other in others}))
    assert alone[0] in sentences(Augmentation(**ON))


def test_numbers_are_told_as_people_say_them() -> None:
    assert sentences(GENTLE) == [
        "Between 35 and 100 % of the picture is shown.",
        "Stretched by up to 33 % in width or height.",
        "Mirrored half of the time.",
        "Brightness and contrast changed by up to 20 %.",
    ]
    assert sentences(NONE) == ["Every picture is shown as it is."]
    assert sentences(Augmentation(quarter_turns=True, rotate=45)) == ["Turned to any angle."]
    assert sentences(Augmentation(rotate=7.5, noise=0.025)) == ["Turned by up to 7.5° either way.", "With up to 2.5 % of noise."]


@pytest.mark.parametrize("name", PRESETS)
def test_what_is_written_down_is_read_again(name: str) -> None:
    assert Augmentation.from_data(json.loads(json.dumps(PRESETS[name].as_data()))) == PRESETS[name]


@pytest.mark.parametrize("name", RANGES)
def test_numbers_too_far_out_are_refused(name: str) -> None:
    least, most = RANGES[name]
    for value in (least - 0.01, most + 0.01, float("nan")):
        with pytest.raises(ValueError, match=name):
            with_one(name, value)
    assert with_one(name, least) and with_one(name, most)


def test_what_is_no_switch_is_refused() -> None:
    with pytest.raises(TypeError, match="glitter"):
        Augmentation.from_data({"mirror": True, "glitter": 1})


@pytest.mark.parametrize("name", SWITCHES)
def test_what_moves_pixels_is_known(name: str) -> None:
    geometry = {"area", "aspect", "mirror", "upside_down", "quarter_turns", "rotate", "perspective"}
    assert replace(NONE, **{name: ON[name]}).moves == (name in geometry)


DOCUMENTED = (Path(__file__).parents[2] / "docs" / "augmentation.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", PRESETS)
def test_the_documentation_says_what_a_preset_does(name: str) -> None:
    row = next(line for line in DOCUMENTED.splitlines() if line.startswith(f"| `{name}` |"))
    assert row.endswith(f" | {' '.join(sentences(PRESETS[name]))} |")


@pytest.mark.parametrize("name", SWITCHES)
def test_the_documentation_says_what_a_switch_takes(name: str) -> None:
    off, span = getattr(NONE, name), RANGES.get(name)
    told = f"{span[0]:g} | {span[1]:g} | {off:g}" if span else "false | true | false"
    assert f"\n| `{name}` | {told} | " in DOCUMENTED
