"""The recipe at a tiny size with a random teacher, and the file it made."""

from __future__ import annotations

import itertools
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file
from torchvision.models import mobilenet_v2, mobilenet_v3_small

from transfer_core.backbones.starter import recipe
from transfer_core.backbones.starter.checkpoint import pictures_shown, read_checkpoint, read_record, save_checkpoint
from transfer_core.errors import WeightsError

SHIPPED = Path(recipe.__file__).with_name("starter.safetensors")


@pytest.fixture(scope="module")
def settings() -> recipe.Settings:
    return recipe.Settings(steps=4, seed=0, batch=4, phases=((0.75, 32), (0.25, 48)), shows=2, kept=2)


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> recipe.Teacher:
    torch.manual_seed(1)
    weights = tmp_path_factory.mktemp("teacher") / "teacher.pth"
    torch.save(mobilenet_v2(weights=None, num_classes=7).state_dict(), weights)
    return recipe.Teacher(weights)


@pytest.fixture
def pool(pool_folder: Path, monkeypatch: pytest.MonkeyPatch) -> recipe.Pool:
    """The small pool, and a settling that is as short."""
    monkeypatch.setattr(recipe, "SETTLING_BATCHES", 2)
    monkeypatch.setattr(recipe, "SETTLING_PIXELS", 64)
    monkeypatch.setattr(recipe, "STATISTICS_BATCHES", 2)
    monkeypatch.setattr("transfer_core.backbones.starter.answers.FIRST", 2)
    return recipe.Pool.read(pool_folder)


@pytest.mark.slow
@pytest.mark.parametrize("stop_at", [2, 3])
def test_repeating_and_resuming_give_the_same_file(
    tmp_path: Path,
    teacher: recipe.Teacher,
    pool: recipe.Pool,
    settings: recipe.Settings,
    stop_at: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Stopped within a phase, and between two."""
    files = [tmp_path / f"{name}.safetensors" for name in ("first", "again", "resumed")]
    recipe.train(teacher, pool, files[0], settings, checkpoint=None, every=1)
    recipe.train(teacher, pool, files[1], settings, checkpoint=None, every=2)
    checkpoint = tmp_path / "checkpoint.safetensors"
    recipe.train(teacher, pool, files[2], settings, checkpoint=checkpoint, every=1, stop_at=stop_at)
    assert not files[2].exists()
    recipe.train(teacher, pool, files[2], settings, checkpoint=checkpoint, every=1)
    assert f"Going on from step {stop_at} of 4." in capsys.readouterr().err
    assert files[0].read_bytes() == files[1].read_bytes() == files[2].read_bytes()
    assert recipe.recorded_steps(checkpoint) == 4
    untrained = mobilenet_v3_small(weights=None).features.state_dict()
    assert {name.removeprefix("features.") for name in load_file(files[0])} == set(untrained)


@pytest.mark.slow
def test_another_seed_gives_another_file(tmp_path: Path, teacher: recipe.Teacher, pool: recipe.Pool) -> None:
    one, other = tmp_path / "one.safetensors", tmp_path / "other.safetensors"
    for out, seed in ((one, 1), (other, 2)):
        settings = recipe.Settings(steps=1, seed=seed, batch=4, phases=((1.0, 32),), kept=2)
        recipe.train(teacher, pool, out, settings, checkpoint=None, every=1)
    assert one.read_bytes() != other.read_bytes()


@pytest.mark.slow
def test_a_training_that_goes_on_from_a_starter_fits_the_maps_alone_at_first(
    tmp_path: Path, teacher: recipe.Teacher, pool: recipe.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Maps that point anywhere would tear the features apart."""
    out, settings = tmp_path / "went-on.safetensors", recipe.Settings(steps=2, seed=0, batch=4, phases=((1.0, 32),), kept=2)
    recipe.train(teacher, pool, out, settings, checkpoint=None, every=1, start=SHIPPED)
    assert pictures_shown(out) == pictures_shown(SHIPPED) + 2 * 4
    shipped, went_on = load_file(SHIPPED), load_file(out)
    weights = [name for name in shipped if name.endswith("0.weight")]
    assert weights and all(torch.equal(shipped[name], went_on[name]) for name in weights)
    monkeypatch.setattr(recipe, "ALONE_STEPS", 0)
    recipe.train(teacher, pool, out, settings, checkpoint=None, every=1, start=SHIPPED)
    assert not any(torch.equal(shipped[name], load_file(out)[name]) for name in weights)


@pytest.mark.slow
def test_a_training_that_goes_on_from_a_starter_resumes_to_the_same_file(
    tmp_path: Path, teacher: recipe.Teacher, pool: recipe.Pool, settings: recipe.Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped while the maps are still fitted alone."""
    monkeypatch.setattr(recipe, "ALONE_STEPS", 3)
    whole, resumed, checkpoint = (tmp_path / f"{name}.safetensors" for name in ("whole", "resumed", "checkpoint"))
    recipe.train(teacher, pool, whole, settings, checkpoint=None, every=1, start=SHIPPED)
    recipe.train(teacher, pool, resumed, settings, checkpoint=checkpoint, every=1, start=SHIPPED, stop_at=2)
    recipe.train(teacher, pool, resumed, settings, checkpoint=checkpoint, every=1, start=SHIPPED)
    assert whole.read_bytes() == resumed.read_bytes()
    with pytest.raises(WeightsError, match="start differ"):
        recipe.train(teacher, pool, resumed, settings, checkpoint=checkpoint, every=1)


@pytest.mark.slow
def test_a_time_becomes_as_many_steps_as_fit_into_it(
    teacher: recipe.Teacher, pool: recipe.Pool, settings: recipe.Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a clock that has a second between two looks, each of which times the same number of steps."""
    monkeypatch.setattr(recipe, "time", SimpleNamespace(perf_counter=itertools.count().__next__))
    a_second = recipe.TIMED_STEPS * settings.shows
    assert recipe.measured_steps(10, teacher, pool, settings) == 10 * 60 * a_second
    assert recipe.measured_steps(0.001, teacher, pool, settings) == recipe.WARM_UP_STEPS


@pytest.mark.slow
def test_the_graph_of_the_teacher_says_what_the_network_says(teacher: recipe.Teacher) -> None:
    pictures = torch.rand(2, 3, 32, 32)
    graph, network = teacher.for_batches(2, 32, 1)(pictures), teacher.ask(pictures)
    for said, meant in zip(
        [graph.pooled, graph.logits, *graph.hints], [network.pooled, network.logits, *network.hints], strict=True
    ):
        assert torch.allclose(said, meant, atol=1e-4)


def test_a_checkpoint_of_another_training_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    save_checkpoint(path, {"one": torch.ones(1)}, 5, {"settings": {"seed": 0}, "teacher": "a"})
    tensors, step, record = read_checkpoint(path, {"settings": {"seed": 0}, "teacher": "a"})
    assert (tensors["one"].item(), step, record["teacher"]) == (1, 5, "a")
    with pytest.raises(WeightsError, match="settings, start differ"):
        read_checkpoint(path, {"settings": {"seed": 1}, "teacher": "a", "start": "b"})
    with pytest.raises(WeightsError, match="teacher differ"):
        read_checkpoint(path, {"settings": {"seed": 0}})


def test_every_source_states_a_free_licence() -> None:
    from transfer_core.backbones.starter.installed import SOURCES

    free = {"CC0", "public domain", "no known copyright restrictions", "BSD-3-Clause", "CC BY 2.0"}
    assert {source.licence for source in SOURCES} <= free
    assert len({source.path for source in SOURCES}) == len(SOURCES)


def test_the_shipped_file_fits_torchvision() -> None:
    assert SHIPPED.stat().st_size <= 2_000_000
    state = load_file(SHIPPED)
    features = mobilenet_v3_small(weights=None).features
    features.load_state_dict({name.removeprefix("features."): tensor for name, tensor in state.items()}, strict=True)
    assert all(name.startswith("features.") for name in state)
    assert {tensor.dtype for tensor in state.values()} == {torch.float16, torch.int64}
    with torch.inference_mode():
        pooled = features.eval()(torch.rand(2, 3, 224, 224)).mean((2, 3))
    assert pooled.shape == (2, 576) and pooled.isfinite().all() and not torch.allclose(pooled[0], pooled[1])


def test_the_shipped_file_says_how_it_was_made() -> None:
    made = read_record(SHIPPED)
    assert made["architecture"] == "mobilenet_v3_small.features" and "start" not in made
    steps, seed = made["settings"]["steps"], made["settings"]["seed"]
    assert made["settings"] == recipe.Settings(steps=steps, seed=seed).as_json()
    card = SHIPPED.with_name("CARD.md").read_text(encoding="utf-8")
    assert f"--steps {steps} --seed {seed}" in card and f"{steps:,} steps" in card
    assert made["pictures"] in card and made["teacher"] in card
