from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from transfer_core.images.augment import Drawn, augment, draw, plain, take
from transfer_core.images.augmentation import GENTLE, NONE, PRESETS, Augmentation
from transfer_core.images.view import View


def squares(count: int = 6, side: int = 24) -> torch.Tensor:
    y, x = np.mgrid[:side, :side]
    one = np.stack([x * 255 // side, y * 255 // side, np.full_like(x, 128)], -1).astype(np.uint8)
    return torch.from_numpy(np.repeat(one[None], count, 0))


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_plain_is_what_prediction_sees() -> None:
    """Validation in the loop looks at exactly the pixels that the graph is given."""
    batch = squares()
    expected = View(16, 24).cut(batch.numpy())
    shown = plain(batch, 16)
    assert shown.shape == (6, 3, 16, 16)
    assert np.array_equal((shown * 255).round().numpy().transpose(0, 2, 3, 1), expected)


def test_the_same_seed_draws_the_same() -> None:
    """A resumed epoch sees the pictures it would have seen; another seed sees others."""
    batch = squares()
    assert torch.equal(augment(batch, 16, seeded(1)), augment(batch, 16, seeded(1)))
    assert not torch.equal(augment(batch, 16, seeded(1)), augment(batch, 16, seeded(2)))


def test_every_picture_is_drawn_anew_and_stays_a_picture() -> None:
    """Crops differ within a batch, values stay in 0..1, and the pixels that came in are untouched."""
    batch = squares(16)
    before = batch.clone()
    shown = augment(batch, 16, seeded(0))
    assert shown.shape == (16, 3, 16, 16) and shown.dtype == torch.float32
    assert shown.min() >= 0 and shown.max() <= 1
    assert torch.equal(batch, before)
    assert len({tuple(picture.flatten().tolist()) for picture in shown}) == 16


def test_mirrored_left_to_right_but_never_upside_down() -> None:
    """Red grows to the right and green downwards: half of the crops are mirrored, none is turned over."""
    shown = augment(squares(200), 16, seeded(3))
    rightwards = (shown[:, 0, :, -1] - shown[:, 0, :, 0]).mean(1)
    downwards = (shown[:, 1, -1] - shown[:, 1, 0]).mean(1)
    assert (downwards > 0).all()
    assert 0.35 < (rightwards < 0).float().mean() < 0.65


def test_a_crop_covers_at_least_a_third() -> None:
    """Zoomed in further, what the picture is of would be lost."""
    shown = augment(squares(200, 48), 16, seeded(4))
    # The gradients measure how much of each side is seen; light changes them by at most 1.2 x 1.2.
    wide = (shown[:, 0, :, -1] - shown[:, 0, :, 0]).abs().mean(1) * 16 / 15
    high = (shown[:, 1, -1] - shown[:, 1, 0]).abs().mean(1) * 16 / 15
    assert (wide * high).min() > 0.35 * 0.8**4 - 0.05
    assert (wide * high).max() < 1.2**4 + 0.05
    assert (wide * high).std() > 0.1


# What was drawn, and shown, when there was nothing to choose yet: views kept then must go with those drawn now.
RECORDED = [
    [
        0.607665479183197,
        0.7353999018669128,
        0.06519413739442825,
        0.22482511401176453,
        -1.0,
        1.0009703636169434,
        1.1214168071746826,
    ],
    [
        0.8361987471580505,
        0.796771764755249,
        -0.12172472476959229,
        -0.09375415742397308,
        -1.0,
        0.8410011529922485,
        1.1061187982559204,
    ],
    [1.0, 0.941409707069397, 0.0, 0.03309846296906471, 1.0, 1.1039988994598389, 1.148361325263977],
]
SHOWN = [
    [[206, 83, 61], [160, 83, 45], [114, 83, 29], [68, 83, 14]],
    [[23, 31, 0], [76, 31, 6], [128, 31, 15], [181, 31, 24]],
    [[0, 222, 0], [71, 222, 48], [157, 222, 112], [242, 222, 175]],
]


def slopes() -> torch.Tensor:
    y, x = np.mgrid[:40, :40]
    one = np.stack([x * 6, y * 6, (x * y) // 7], -1).astype(np.uint8)
    return torch.from_numpy(np.stack([one, one[:, ::-1], one[::-1]]))


def noisy(count: int = 4, side: int = 40) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (count, side, side, 3), dtype=np.uint8))


def dot(x: int, y: int, side: int = 41) -> torch.Tensor:
    """One white spot, wide enough to be found again by its middle."""
    square = torch.zeros(1, side, side, 3, dtype=torch.uint8)
    square[0, y - 1 : y + 2, x - 1 : x + 2] = 255
    return square


def middle(shown: torch.Tensor) -> tuple[float, float]:
    """Where the light of one picture is, from its middle: to the right, and downwards, in pixels."""
    weights = shown[0].sum(0)
    line = torch.arange(weights.shape[0]) - (weights.shape[0] - 1) / 2
    return float((weights.sum(0) * line).sum() / weights.sum()), float((weights.sum(1) * line).sum() / weights.sum())


def by_hand(**columns: float) -> torch.Tensor:
    """What is drawn for one picture that nothing happens to, but for these columns."""
    still = draw(1, seeded(0), NONE)
    return torch.stack(Drawn(*still.unbind(1))._replace(**{name: torch.tensor([value]) for name, value in columns.items()}), 1)


def test_gentle_draws_what_was_always_drawn() -> None:
    """A run broken off before there was a choice goes on with the same views, and those kept at the boundary stay right."""
    generator = seeded(11)
    assert draw(3, generator)[:, :7].tolist() == RECORDED
    assert torch.rand(1, generator=generator).item() == 0.7230550050735474
    shown = augment(slopes(), 32, seeded(11)).mul(255).round().to(torch.uint8).permute(0, 2, 3, 1)
    assert shown[:, 5, ::9].tolist() == SHOWN


@pytest.mark.parametrize(("count", "side", "crop"), [(5, 232, 224), (1, 40, 40), (9, 72, 64)])
def test_gentle_shows_bit_for_bit_what_it_always_showed(count: int, side: int, crop: int) -> None:
    """The short way to the same numbers: in parts, and without torch's own grid."""
    batch, drawn = noisy(count, side), draw(count, seeded(count))
    width, height, left, top, mirror, brightness, contrast = drawn[:, :7].unbind(1)
    zero = torch.zeros(count)
    place = torch.stack([torch.stack([width * mirror, zero, left], 1), torch.stack([zero, height, top], 1)], 1)
    pixels = batch.permute(0, 3, 1, 2).float().div_(255)
    grid = functional.affine_grid(place, [count, 3, crop, crop], align_corners=False)
    pixels = functional.grid_sample(pixels, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    brightness, contrast = brightness.view(-1, 1, 1, 1), contrast.view(-1, 1, 1, 1)
    mean = pixels.mean((1, 2, 3), keepdim=True)
    assert torch.equal(take(batch, crop, drawn), ((pixels - mean) * contrast + mean).mul_(brightness).clamp_(0, 1))


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_shows_pictures(name: str) -> None:
    """In 0..1, the same for the same seed, another for another, the pixels that came in untouched."""
    batch = noisy(12)
    before = batch.clone()
    shown = augment(batch, 32, seeded(1), PRESETS[name])
    assert shown.shape == (12, 3, 32, 32) and shown.dtype == torch.float32
    assert shown.min() >= 0 and shown.max() <= 1 and shown.std() > 0.02
    assert torch.equal(batch, before)
    assert torch.equal(shown, augment(batch, 32, seeded(1), PRESETS[name]))
    assert torch.equal(shown, augment(batch, 32, seeded(2), PRESETS[name])) == (name == "none")


@pytest.mark.parametrize("name", PRESETS)
def test_a_view_does_not_depend_on_the_others(name: str) -> None:
    """What was drawn for a picture shows the same alone, in any order, and whatever else is in the batch."""
    batch, drawn = noisy(7), draw(7, seeded(3), PRESETS[name])
    together = take(batch, 32, drawn, PRESETS[name])
    for place in (6, 0, 3):
        alone = take(batch[place : place + 1], 32, drawn[place : place + 1], PRESETS[name])
        assert torch.allclose(alone[0], together[place], atol=1e-6)
    order = torch.tensor([5, 2, 6, 0])
    assert torch.allclose(take(batch[order], 32, drawn[order], PRESETS[name]), together[order], atol=1e-6)


def test_none_is_what_prediction_sees() -> None:
    assert torch.equal(augment(noisy(), 32, seeded(0), NONE), plain(noisy(), 32))


def test_mirrored_pictures_are_what_prediction_sees_mirrored() -> None:
    """Without cutting out, the same pixels: neither blurred nor shifted."""
    shown, seen = augment(noisy(40), 32, seeded(5), Augmentation(mirror=True)), plain(noisy(40), 32)
    mirrored = [torch.allclose(one, other.flip(2), atol=1e-4) for one, other in zip(shown, seen, strict=True)]
    as_it_is = [torch.allclose(one, other, atol=1e-4) for one, other in zip(shown, seen, strict=True)]
    assert all(one != other for one, other in zip(mirrored, as_it_is, strict=True))
    assert 8 < sum(mirrored) < 32


@pytest.mark.parametrize("name", [name for name, preset in PRESETS.items() if not preset.mirror])
def test_what_must_not_be_mirrored_never_is(name: str) -> None:
    """Red grows to the right, green downwards: a mirrored letter is another letter."""
    shown = augment(squares(300), 16, seeded(6), PRESETS[name])
    assert ((shown[:, 0, :, -3:].mean((1, 2)) - shown[:, 0, :, :3].mean((1, 2))) > 0).all()
    assert ((shown[:, 1, -3:].mean((1, 2)) - shown[:, 1, :3].mean((1, 2))) > 0).all()


@pytest.mark.parametrize("degrees", [-90.0, 0.0, 30.0, 90.0, 180.0])
def test_a_turn_moves_a_spot_against_the_clock(degrees: float) -> None:
    """By as much as it says, around the middle."""
    shown = take(dot(32, 20), 41, by_hand(angle=degrees), Augmentation(rotate=180))
    angle = np.deg2rad(degrees)
    assert middle(shown) == pytest.approx((12 * np.cos(angle), -12 * np.sin(angle)), abs=0.05)


def test_turned_mirrored_and_cut_out_in_this_order() -> None:
    """What is cut out stands upright in the square; it is turned when it is there, and mirrored last of all."""
    cut = by_hand(width=0.5, height=0.5, left=0.5, top=0.0)
    assert middle(take(dot(32, 20), 41, cut, Augmentation(area=0.2))) == pytest.approx((12 * 2 - 0.5 * 41, 0), abs=0.1)
    turned = by_hand(angle=90.0, mirror=-1.0)
    assert middle(take(dot(32, 20), 41, turned, Augmentation(rotate=90, mirror=True))) == pytest.approx((0, -12), abs=0.05)
    mirrored = by_hand(angle=30.0, mirror=-1.0)
    expected = (-12 * np.cos(np.pi / 6), -12 * np.sin(np.pi / 6))
    assert middle(take(dot(32, 20), 41, mirrored, Augmentation(rotate=90, mirror=True))) == pytest.approx(expected, abs=0.05)


def test_perspective_makes_one_side_shorter() -> None:
    """By the share that it says, at the very edge; the middle stays where it is."""
    strength = 0.4
    tilted, augmentation = by_hand(tilt_x=strength / 2), Augmentation(perspective=strength)
    assert middle(take(dot(20, 20), 41, tilted, augmentation)) == pytest.approx((0, 0), abs=0.3)
    upper, lower = torch.zeros(1, 101, 101, 3, dtype=torch.uint8), torch.zeros(1, 101, 101, 3, dtype=torch.uint8)
    upper[0, 30:33], lower[0, 68:71] = 255, 255
    heights = []
    for column in (0, -1):
        ends = [take(line, 101, tilted, augmentation)[0, 0, :, column].argmax() for line in (upper, lower)]
        heights.append(float(ends[1] - ends[0]))
    assert heights[0] / heights[1] == pytest.approx((1 - strength / 2) / (1 + strength / 2), abs=0.04)


def test_any_way_up_is_equally_often() -> None:
    """Under a microscope no direction is special: all eight ways of turning and mirroring come up."""
    every = Augmentation(mirror=True, upside_down=True, quarter_turns=True)
    batch = noisy(1).expand(160, -1, -1, -1)
    seen = plain(batch[:1], 40)[0]
    ways = [turned for flipped in (seen, seen.flip(2)) for turned in (torch.rot90(flipped, k, (1, 2)) for k in range(4))]
    found = [[torch.allclose(one, way, atol=1e-3) for way in ways] for one in augment(batch, 40, seeded(8), every)]
    counts = np.array(found).sum(0)
    assert np.array(found).sum(1).tolist() == [1] * 160 and counts.min() >= 8


def test_a_switch_is_used_as_often_as_it_says() -> None:
    drawn = Drawn(*draw(2000, seeded(9), Augmentation(grey=0.3, blur=0.2, erase=0.4)).unbind(1))
    for column, chance in ((drawn.saturation == 0, 0.3), (drawn.blur > 0, 0.2), (drawn.erased_width > 0, 0.4)):
        assert column.float().mean() == pytest.approx(chance, abs=0.04)


@pytest.mark.parametrize("switch", ["rotate", "light", "colour", "perspective", "noise"])
def test_what_is_drawn_stays_within_what_is_said(switch: str) -> None:
    columns: dict[str, list[tuple[str, float, float]]] = {
        "rotate": [("angle", -10, 10)],
        "light": [("brightness", 0.7, 1.3), ("contrast", 0.7, 1.3)],
        "colour": [("saturation", 0.7, 1.3), ("hue", -0.075, 0.075)],
        "perspective": [("tilt_x", -0.15, 0.15), ("tilt_y", -0.15, 0.15)],
        "noise": [("noise", 0, 0.3)],
    }
    value: dict[str, Any] = {switch: 10 if switch == "rotate" else 0.3}
    drawn = Drawn(*draw(1000, seeded(2), Augmentation(**value)).unbind(1))
    for name, least, most in columns[switch]:
        values = getattr(drawn, name)
        span = most - least
        assert least - 1e-6 <= values.min() < least + 0.05 * span and most - 0.05 * span < values.max() <= most + 1e-6


def test_a_cut_out_keeps_what_it_says() -> None:
    drawn = Drawn(*draw(1000, seeded(2), replace(GENTLE, area=0.6, aspect=1.2)).unbind(1))
    area = drawn.width * drawn.height
    assert 0.54 < area.min() < 0.62 and (drawn.width / drawn.height).max() < 1.21
    assert (drawn.left.abs() <= 1 - drawn.width + 1e-6).all() and (drawn.top.abs() <= 1 - drawn.height + 1e-6).all()


class NothingMixed(TorchDispatchMode):
    """Fails where one operation is given tensors of two devices, as a graphics card does."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor) and leaf.dim()]
        assert len({tensor.device for tensor in tensors}) < 2, func
        return func(*args, **kwargs or {})


@pytest.mark.parametrize("name", [*PRESETS, "every switch"])
def test_everything_is_done_where_the_pictures_are(name: str) -> None:
    """What was drawn lies on the CPU, the pictures on a device: here one that computes nothing but keeps them apart."""
    every = Augmentation(grey=1, blur=1, noise=0.1, erase=1, perspective=0.2, colour=0.2, light=0.1)
    with NothingMixed():
        shown = augment(noisy(6).to("meta"), 32, seeded(0), PRESETS.get(name, every))
    assert shown.device.type == "meta" and shown.shape == (6, 3, 32, 32)
