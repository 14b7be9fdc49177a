from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from transfer_core.features.logistic import LogisticFit, fit_logistic
from transfer_core.metrics.calibration import cross_entropy, softmax


def drawn(count: int, width: int, classes: int, seed: int = 0, spread: float = 1.0) -> tuple[Tensor, Tensor]:
    """Features of overlapping classes, on scales as different as a backbone's; `seed` draws the samples, not the classes."""
    kind, generator = np.random.default_rng(width), np.random.default_rng(seed)
    centres = kind.normal(0, 1, (classes, width)) * (kind.random(width) < 0.3)
    scales, shifts = np.exp(kind.normal(0, 1, width)), kind.normal(0, 3, width)
    labels = generator.integers(0, classes, count)
    labels[:classes] = np.arange(classes)
    features = (centres[labels] + generator.normal(0, spread, (count, width))) * scales + shifts
    return torch.from_numpy(features.astype(np.float32)), torch.from_numpy(labels)


def in_turns(count: int, folds: int = 5, seed: int = 1) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).permutation(count) % folds)


def logits(fit: LogisticFit, features: Tensor) -> np.ndarray:
    return (features @ fit.weight.T + fit.bias).numpy()


def by_scikit_learn(features: Tensor, labels: Tensor, strength: float, asked: Tensor) -> np.ndarray:
    """Probabilities of scikit-learn's head of that strength, on features standardised by the ones it learns from."""
    linear_model = pytest.importorskip("sklearn.linear_model")
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    scaler = preprocessing.StandardScaler().fit(features.double())
    head = linear_model.LogisticRegression(C=strength, max_iter=5000, tol=1e-8).fit(scaler.transform(features.double()), labels)
    return head.predict_proba(scaler.transform(asked.double()))


@pytest.mark.parametrize("count, width", [(60, 200), (400, 30), (150, 150)])
@pytest.mark.parametrize("classes", [2, 3, 7])
def test_it_agrees_with_scikit_learn(count: int, width: int, classes: int) -> None:
    """The same problem has the same solution: fewer samples than features and more, two classes and many, every strength."""
    features, labels = drawn(count, width, classes)
    asked = torch.cat([features, drawn(50, width, classes, seed=1)[0]])
    none = torch.full((count,), -1)
    for strength in (1e-3, 1e-2, 1e-1):
        fit = fit_logistic(features, labels, classes, none, strengths=(strength,))
        ours = softmax(logits(fit, asked))
        theirs = by_scikit_learn(features, labels, strength, asked)
        if classes == 2:
            # One weight vector there, two here: with |w|^2 / 2 on each, two of half the length cost half as much.
            theirs = by_scikit_learn(features, labels, 2 * strength, asked)
        # Measured: 0.011 at samples that were learnt from and 0.022 at others, because the solver stops early.
        assert np.abs(ours - theirs).max() < 0.03, strength
        assert np.abs(ours - theirs).mean() < 0.005, strength


def test_the_strength_is_the_best_out_of_fold() -> None:
    """The chosen one has the smallest loss, and each loss is that of the out-of-fold answers at their own temperature."""
    features, labels = drawn(200, 40, 4, spread=2.0)
    fit = fit_logistic(features, labels, 4, in_turns(200))
    assert fit.chosen == int(np.argmin(fit.losses)) and len(fit.losses) == len(fit.strengths)
    assert fit.losses[fit.chosen] == pytest.approx(
        cross_entropy(fit.out_of_fold.numpy(), labels.numpy(), fit.temperature), abs=1e-5
    )
    assert 0.05 < fit.temperature < 20


def test_out_of_fold_answers_come_from_heads_that_did_not_see_the_sample() -> None:
    """Each answer is that of a head fitted from scratch on the other folds alone."""
    features, labels = drawn(90, 25, 3, spread=1.5)
    folds = in_turns(90)
    folds[:10] = -1  # always learnt from, never asked
    fit = fit_logistic(features, labels, 3, folds, strengths=(0.01,))
    assert fit.out_of_fold.shape == (90, 3)
    assert torch.isnan(fit.out_of_fold[:10]).all() and not torch.isnan(fit.out_of_fold[10:]).any()
    for fold in range(5):
        asked = folds == fold
        alone = fit_logistic(features[~asked], labels[~asked], 3, torch.full((int((~asked).sum()),), -1), strengths=(0.01,))
        difference = softmax(fit.out_of_fold[asked].numpy()) - softmax(logits(alone, features[asked]))
        # Standardised by all samples there and by the others here: the same up to what a fifth of the samples moves the scale.
        assert np.abs(difference).max() < 0.08


def test_memorised_labels_do_not_shine_out_of_fold() -> None:
    """Random labels are learnt by heart by the final head, and guessed by the out-of-fold ones: the score is honest."""
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(120, 300, generator=generator)
    labels = torch.arange(120) % 2
    fit = fit_logistic(features, labels, 2, in_turns(120))
    assert (logits(fit, features).argmax(1) == labels.numpy()).mean() > 0.95
    assert 0.3 < (fit.out_of_fold.argmax(1) == labels).float().mean() < 0.7


def test_without_refit_held_out_samples_play_no_part() -> None:
    """Where the user gave a validation set, it can hold anything: the head does not move."""
    features, labels = drawn(100, 30, 3)
    folds = torch.full((100,), -1)
    folds[70:] = 0
    clean = fit_logistic(features, labels, 3, folds, strengths=(0.03,), refit=False)
    poisoned, wrong = features.clone(), labels.clone()
    poisoned[70:] = poisoned[70:] * -50 + 1000
    wrong[70:] = (wrong[70:] + 1) % 3
    fit = fit_logistic(poisoned, wrong, 3, folds, strengths=(0.03,), refit=False)
    difference = softmax(logits(fit, features[:70])) - softmax(logits(clean, features[:70]))
    assert np.abs(difference).max() < 0.01
    # And it is the head of the others alone.
    alone = fit_logistic(features[:70], labels[:70], 3, torch.full((70,), -1), strengths=(0.03,))
    assert np.abs(softmax(logits(alone, features)) - softmax(logits(clean, features))).max() < 0.01
    # With refit, they do play a part.
    refitted = fit_logistic(features, labels, 3, folds, strengths=(0.03,))
    assert np.abs(softmax(logits(refitted, features)) - softmax(logits(clean, features))).max() > 0.02


def test_without_refit_the_folds_answer_as_with_it() -> None:
    """Who wants the samples' own answers alone is told the same; easy problems leave the batch while hard ones go on."""
    features, labels = drawn(120, 60, 4)
    with_refit, without = (fit_logistic(features, labels, 4, in_turns(120), refit=refit) for refit in (True, False))
    assert with_refit.chosen == without.chosen
    assert np.abs(softmax(with_refit.out_of_fold.numpy()) - softmax(without.out_of_fold.numpy())).max() < 0.02


@pytest.mark.parametrize("count, width", [(40, 100), (100, 20)])
def test_the_same_bits_every_time(count: int, width: int) -> None:
    """No chance in it: weights, answers and losses are equal to the last bit."""
    features, labels = drawn(count, width, 3)
    first, second = (fit_logistic(features.clone(), labels, 3, in_turns(count)) for _ in range(2))
    assert torch.equal(first.weight, second.weight) and torch.equal(first.bias, second.bias)
    assert torch.equal(first.out_of_fold, second.out_of_fold)
    assert first.losses == second.losses and first.temperature == second.temperature


@pytest.mark.parametrize("count", [12, 80])
def test_constant_and_repeated_features_and_rows(count: int) -> None:
    """Dead channels, twin channels and copies of pictures are common: no infinities, and they change nothing else."""
    features, labels = drawn(count, 20, 3)
    none = torch.full((count,), -1)
    plain = fit_logistic(features, labels, 3, none, strengths=(0.1,))
    dead = torch.cat([features, torch.full((count, 5), 3.7), torch.zeros(count, 2)], 1)
    fit = fit_logistic(dead, labels, 3, none, strengths=(0.1,))
    assert torch.isfinite(fit.weight).all() and torch.isfinite(fit.bias).all()
    assert np.abs(softmax(logits(fit, dead)) - softmax(logits(plain, features))).max() < 0.01
    twice = torch.cat([features, features]), torch.cat([labels, labels])
    fit = fit_logistic(*twice, 3, torch.full((2 * count,), -1), strengths=(0.05,))
    assert np.abs(softmax(logits(fit, features)) - softmax(logits(plain, features))).max() < 0.02
    twins = fit_logistic(torch.cat([features, features], 1), labels, 3, none, strengths=(0.05,))
    assert np.abs(softmax(logits(twins, torch.cat([features, features], 1))) - softmax(logits(plain, features))).max() < 0.02


def test_features_that_say_nothing() -> None:
    """All features constant: the answer is how frequent each class is."""
    labels = torch.tensor([0, 0, 0, 1] * 10)
    fit = fit_logistic(torch.full((40, 6), 2.0), labels, 2, in_turns(40))
    assert torch.isfinite(fit.weight).all()
    assert softmax(logits(fit, torch.full((1, 6), 2.0)))[0].tolist() == pytest.approx([0.75, 0.25], abs=0.02)


def test_a_class_with_a_single_sample() -> None:
    """It is learnt from in every fold and asked in none."""
    features, labels = drawn(41, 30, 2)
    features = torch.cat([features, features.mean(0, keepdim=True) + 5])
    labels, folds = torch.cat([labels, torch.tensor([2])]), torch.cat([in_turns(41), torch.tensor([-1])])
    fit = fit_logistic(features, labels, 3, folds)
    assert fit.weight.shape == (3, 30) and torch.isfinite(fit.weight).all()
    assert logits(fit, features[-1:]).argmax() == 2
    assert torch.isnan(fit.out_of_fold[-1]).all()


def test_two_samples_and_nothing_to_score_by() -> None:
    """The least there is: one sample a class, none held out. The middle strength, and confidences left alone."""
    features = torch.tensor([[0.0, 1.0, 5.0], [1.0, 0.0, 5.0]])
    fit = fit_logistic(features, torch.tensor([0, 1]), 2, torch.tensor([-1, -1]))
    assert fit.chosen == len(fit.strengths) // 2 and fit.temperature == 1.0
    assert logits(fit, features).argmax(1).tolist() == [0, 1]
    assert torch.isnan(fit.out_of_fold).all()


def test_a_class_that_a_fold_lacks_altogether() -> None:
    """All of a class held out at once: its head has never heard of it, answers stay finite."""
    features, labels = drawn(60, 10, 3)
    folds = torch.where(labels == 2, 0, in_turns(60))
    fit = fit_logistic(features, labels, 3, folds)
    assert torch.isfinite(fit.out_of_fold).all() and all(np.isfinite(fit.losses))


def test_stopping_is_asked_at_every_step() -> None:
    """A stop request gets through while the solver runs."""
    features, labels = drawn(50, 10, 2)
    calls: list[int] = []

    def stop() -> None:
        calls.append(0)
        if len(calls) == 3:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        fit_logistic(features, labels, 2, in_turns(50), checkpoint=stop)


def test_the_number_of_threads_is_put_back() -> None:
    """Small problems are solved on one thread; afterwards torch has as many as before, also after an error."""
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        features, labels = drawn(20, 5, 2)
        fit_logistic(features, labels, 2, in_turns(20))
        with pytest.raises(ZeroDivisionError):
            fit_logistic(features, labels, 2, in_turns(20), checkpoint=lambda: 1 // 0)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
