"""Colour, light, sharpness, noise and blanks: each does what it is called, to the pictures that it is meant for."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter

from transfer_core.images.looks import add_noise, blurred, erased, recoloured, relit


def pictures(count: int = 2, side: int = 32) -> torch.Tensor:
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(0))


def test_grey_has_no_colour_and_keeps_its_brightness() -> None:
    shown = recoloured(pictures(), torch.tensor([0.0, 1.0]), torch.tensor([0.0, 0.0]))
    brightness = (pictures() * torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1)
    assert torch.allclose(shown[0], brightness[0].expand(3, -1, -1), atol=1e-3)
    assert torch.allclose(shown[1], pictures()[1], atol=1e-5)


def test_hue_goes_around_the_circle_of_colours() -> None:
    """A third of the way, red is green; all the way, it is red again. In between, no further from grey."""
    red = torch.tensor([0.6, 0.4, 0.4]).view(1, 3, 1, 1).expand(4, 3, 2, 2)
    shown = recoloured(red, torch.ones(4), torch.tensor([0.0, 1 / 3, -1 / 3, 1.0]))[:, :, 0, 0]
    hues = [colorsys.rgb_to_hsv(*(float(value) for value in colour))[0] for colour in shown]
    there = [min(abs(hue - wanted), 1 - abs(hue - wanted)) for hue, wanted in zip(hues, (0, 1 / 3, 2 / 3, 0), strict=True)]
    assert max(there) < 0.12, hues
    weights = torch.tensor([0.299, 0.587, 0.114])
    assert torch.allclose(shown @ weights, (red[:, :, 0, 0] @ weights), atol=1e-3)


def test_saturation_is_the_distance_from_grey() -> None:
    before = pictures()
    shown = recoloured(before, torch.tensor([0.5, 1.5]), torch.zeros(2))
    grey = recoloured(before, torch.zeros(2), torch.zeros(2))
    assert torch.allclose(shown[0] - grey[0], 0.5 * (before - grey)[0], atol=1e-5)
    assert torch.allclose(shown[1] - grey[1], 1.5 * (before - grey)[1], atol=1e-5)


def test_light_multiplies_contrast_around_the_mean_then_brightness() -> None:
    shown = pictures()
    relit(shown, torch.tensor([1.0, 0.5]), torch.tensor([0.5, 1.0]))
    assert torch.allclose(shown.mean((1, 2, 3)), pictures().mean((1, 2, 3)) * torch.tensor([1.0, 0.5]), atol=1e-5)
    assert torch.allclose(shown.std((1, 2, 3)), pictures().std((1, 2, 3)) * 0.5, atol=1e-5)


def test_blur_is_gaussian_and_meant_for_some() -> None:
    """As Pillow's, away from the rim; a picture without a deviation is left alone."""
    shown = pictures(3)
    blurred(shown, torch.tensor([0.0, 2.0, 0.0]))
    assert torch.equal(shown[[0, 2]], pictures(3)[[0, 2]])
    for channel in range(3):
        image = Image.fromarray((pictures(3)[1, channel] * 255).round().to(torch.uint8).numpy())
        expected = np.asarray(image.filter(ImageFilter.GaussianBlur(2)), float) / 255
        assert np.abs(shown[1, channel].numpy() - expected)[8:-8, 8:-8].max() < 0.03
    assert shown[1].mean() == pytest.approx(float(pictures(3)[1].mean()), abs=0.01)


def test_noise_is_normal_of_the_strength_that_was_drawn() -> None:
    shown = torch.full((3, 3, 64, 64), 0.5)
    add_noise(shown, torch.tensor([0.1, 0.0, 0.1]), torch.tensor([1.0, 1.0, 2.0]))
    noise = shown - 0.5
    assert noise[0].std() == pytest.approx(0.1, rel=0.03) and abs(float(noise[0].mean())) < 0.003
    assert (noise[0].abs() < 0.1).float().mean() == pytest.approx(0.683, abs=0.03)
    assert (noise[1] == 0).all()
    # Neither between pictures, nor between neighbours or channels, does one value tell of another.
    pairs = [(noise[0], noise[2]), (noise[0, :, :, 1:], noise[0, :, :, :-1]), (noise[0, :, 1:], noise[0, :, :-1])]
    for one, other in [*pairs, (noise[0, 0], noise[0, 1])]:
        assert abs(float(torch.corrcoef(torch.stack([one.flatten(), other.flatten()]))[0, 1])) < 0.05


def test_a_blank_is_where_it_was_drawn_in_the_picture_s_own_colour() -> None:
    shown = pictures(2, 40)
    erased(shown, torch.tensor([[0.5, 0.25, 0.5, -0.5], [0.0, 0.5, 0.0, 0.0]]))
    assert torch.equal(shown[1], pictures(2, 40)[1])
    blank = torch.zeros(40, 40, dtype=torch.bool)
    blank[5:15, 20:40] = True
    assert torch.allclose(shown[0][:, blank], pictures(2, 40)[0].mean((1, 2))[:, None].expand(-1, 200))
    assert torch.equal(shown[0][:, ~blank], pictures(2, 40)[0][:, ~blank])
