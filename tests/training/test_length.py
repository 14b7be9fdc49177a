from __future__ import annotations

import pytest

from transfer_core.training.length import EXTENSION_RATE, length_of
from transfer_core.training.settings import RunSettings


def test_by_epochs_by_steps_or_by_what_was_measured() -> None:
    """Measured steps come before set ones, and those before epochs; a batch of several counts as one step."""
    settings = RunSettings(epochs=3)
    assert length_of(settings, 100, 32).total == 12 and length_of(settings, 100, 32).epochs == 3
    assert length_of(RunSettings(epochs=3, steps=5), 100, 32).epochs == 2
    assert length_of(RunSettings(epochs=3, steps=5), 100, 32, steps=9).total == 9
    assert length_of(RunSettings(epochs=3, accumulate=2), 100, 32).per_epoch == 2


def test_what_is_added_has_a_schedule_of_its_own() -> None:
    """After the rate came down to nothing, added epochs begin again at a part of it, and come down again."""
    settings = RunSettings(epochs=10, warm_up=0)
    length = length_of(settings, 320, 32, extensions=((5, None),))
    assert length.total == 150
    assert length.factor(settings, 0) == 1.0 and length.factor(settings, 99) < 0.001
    assert length.factor(settings, 100) == pytest.approx(EXTENSION_RATE) and length.factor(settings, 149) < 0.001
