from __future__ import annotations

import numpy as np
import torch

from transfer_core.images.augment import augment, plain
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
