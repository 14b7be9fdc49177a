from __future__ import annotations

from transfer_core.backbones.catalogue import backbone_info, catalogue
from transfer_core.backbones.network import check_size
from transfer_core.training.recipe import FULL, RECIPE


def test_no_more_is_trained_than_the_recipe_allows() -> None:
    """Of every backbone the last stage is trained, and what is trained beside it stays within its share of the work."""
    counted = [info for info in catalogue().values() if info.stages]
    assert len(counted) > 70
    for info in counted:
        boundary = RECIPE.boundary(info.stages, len(info.stages))
        total = sum(stage.multiply_adds for stage in info.stages)
        trained = sum(stage.multiply_adds for stage in info.stages[boundary:])
        assert 0 < boundary < len(info.stages), info.name
        assert boundary == len(info.stages) - 1 or trained <= RECIPE.share * total, info.name
        assert trained + info.stages[boundary - 1].multiply_adds > RECIPE.share * total, info.name


def test_a_backbone_that_was_not_counted_has_its_last_stage_trained() -> None:
    assert (RECIPE.boundary((), 5), RECIPE.boundary((), 1)) == (4, 0)


def test_views_are_smaller_where_the_network_takes_smaller_pictures() -> None:
    """A run never asks a network for a size that it can't look at, whatever was chosen for it."""
    sizes = {}
    for info in catalogue().values():
        sizes[info.name] = RECIPE.size_for(info, info.crop)
        check_size(info, sizes[info.name])
        assert sizes[info.name] <= info.crop
    assert (sizes["mobilenet_v2"], sizes["efficientnet_b3"], sizes["vit_b_16"]) == (192, 256, 224)
    assert sum(size < backbone_info(name).crop for name, size in sizes.items()) > len(sizes) / 2
    assert RECIPE.size_for(backbone_info("mobilenet_v2"), 32) == 32


def test_large_sets_need_fewer_epochs_and_views() -> None:
    assert [RECIPE.epochs_for(count) for count in (0, 1, 500, 1_000, 5_000, 20_000, 1_000_000)] == [12, 12, 12, 6, 4, 3, 1]
    assert [RECIPE.epochs_for(count, "trial") for count in (1, 1_000, 5_000, 1_000_000)] == [6, 3, 2, 1]
    assert [RECIPE.epochs_for(count, "rest") for count in (1, 1_000, 5_000, 1_000_000)] == [9, 4, 3, 1]
    assert [FULL.epochs_for(100, span) for span in ("all", "trial", "rest")] == [4, 4, 2]
    assert [FULL.epochs_for(10**6, span) for span in ("all", "trial", "rest")] == [1, 1, 1]
    assert [RECIPE.views_for(count, 40_000) for count in (1, 500, 1_000, 5_000)] == [6, 6, 4, 3]
    assert RECIPE.views_for(100_000, 40_000) * 100_000 * 40_000 <= RECIPE.most_bytes
    assert RECIPE.views_for(10**9, 40_000) == 1
