"""A table of differences that shows what matters, and nothing that is alike or has no effect."""

from __future__ import annotations

from transfer_core.runs.compare import Difference, differences, effective
from transfer_core.training.settings import RunSettings


def test_only_what_differs() -> None:
    one = RunSettings(plan="custom", epochs=5, seed=1)
    two = RunSettings(plan="custom", epochs=9, seed=1, head="mlp")
    assert differences([one, two]) == [
        Difference("head", ("linear", "mlp")),
        Difference("hidden_width", (None, 256)),
        Difference("dropout", (None, 0.2)),
        Difference("epochs", (5, 9)),
    ]


def test_what_has_no_effect_is_no_difference() -> None:
    """A quick run trains no epochs, whatever its settings say of them."""
    assert differences([RunSettings(plan="quick", epochs=5), RunSettings(plan="quick", epochs=9)]) == []
    rows = differences([RunSettings(plan="quick", epochs=5), RunSettings(plan="custom", epochs=5)])
    assert Difference("plan", ("quick", "custom")) in rows and Difference("epochs", (None, 5)) in rows
    assert effective(RunSettings(), "plan") == "quick"


def test_three_and_fewer_than_two() -> None:
    rows = differences([RunSettings(seed=seed) for seed in (1, 1, 2)])
    assert rows == [Difference("seed", (1, 1, 2))]
    assert differences([]) == [] and differences([RunSettings()]) == []
