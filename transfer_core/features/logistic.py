"""The solver-fitted logistic head: every fold and every strength solved together, as one batch of convex problems.

Problem (f, s) is L2-regularised multinomial logistic regression on the standardised features of all samples outside fold f, with
strength C_s in scikit-learn's sense: minimise `C * sum(cross-entropy) + |W|^2 / 2`. One more "fold" holds out nothing, so that the refitted
head comes out of the same batch. All problems share the features, so a step is two matrix products for all of them together.

The solver is L-BFGS (Nocedal and Wright, Numerical Optimization, 7.2) with each problem on a step size of its own, in the basis of the
features' principal components, where the diagonal of Boehning's bound on the Hessian (Boehning, 1992) is a good preconditioner.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from transfer_core.metrics.calibration import cross_entropy, fit_temperature

STRENGTHS = (1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
MEMORY = 6
MAX_STEPS = 100
# A problem is solved when a step improves its mean loss by less than this: far below what moves an accuracy.
TOLERANCE = 1e-4
# Solved problems leave the batch once no more than this share is open: taking the batch apart costs about a step.
LEAVE = 0.75
# Rows x problems x classes worked on at once: bounds the temporaries to about 200 MB.
BLOCK = 4_000_000
# Products of one step below which a second thread does not pay.
SMALL = 50_000_000


@dataclass(frozen=True)
class LogisticFit:
    """A fitted head: `logits = features @ weight.T + bias`, on features as they come out of the backbone.

    `out_of_fold [N, classes]` are each sample's logits from a head that never saw its fold (NaN where the sample is in no fold), at the
    chosen strength; `losses [strengths]` the mean out-of-fold cross-entropies, each at its own best temperature, that it was chosen by;
    `temperature` is that of the chosen strength.
    """

    weight: Tensor
    bias: Tensor
    out_of_fold: Tensor
    strengths: tuple[float, ...]
    losses: tuple[float, ...]
    temperature: float
    chosen: int
    steps: int


def fit_logistic(
    features: Tensor,
    labels: Tensor,
    classes: int,
    folds: Tensor,
    strengths: tuple[float, ...] = STRENGTHS,
    refit: bool = True,
    checkpoint: Callable[[], None] | None = None,
) -> LogisticFit:
    """Fit heads on `features [N, D]` float32 with `labels [N]` int64, and choose the strength by out-of-fold scores.

    `folds [N]` int64 numbers the fold that holds a sample out, -1 for none. The head is that of all samples, or without `refit` that of
    fold 0, for who wants the samples' own logits alone or has one set to validate on: with a single fold, the samples held out choose
    the strength and have no other influence, not even on the scale of the features.
    `checkpoint()` is called every step and may raise to stop.
    Memory: two copies of the features and about 200 MB; time: two products of N x D x (folds + 1) x strengths x classes a step.
    """
    held_out = int(folds.max().item()) + 1
    refit = refit or not held_out
    fold_count = held_out + refit  # the fold that holds nothing out comes last
    with _threads_for(len(features) * min(features.shape) * fold_count * len(strengths) * classes):
        components, mean, projection = _principal(features, None if refit or held_out > 1 else folds != 0)
        problems = _Problems(components, labels, classes, folds, fold_count, strengths)
        solution, steps = _solve(problems, checkpoint)
        out_of_fold = problems.out_of_fold(solution)
    temperatures, losses = _calibrated(out_of_fold[folds >= 0], labels[folds >= 0])
    chosen = int(np.argmin(losses)) if held_out else len(strengths) // 2
    final = solution.view(-1, fold_count, len(strengths), classes)[:, -1 if refit else 0, chosen]
    weight = (projection @ final[:-1]).T.contiguous()
    bias = final[-1] - weight @ mean
    return LogisticFit(
        weight=weight,
        bias=bias - bias.mean(),
        out_of_fold=out_of_fold[:, chosen].clone(),
        strengths=strengths,
        losses=losses,
        temperature=temperatures[chosen],
        chosen=chosen,
        steps=steps,
    )


@contextmanager
def _threads_for(products: int) -> Iterator[None]:
    """One thread for small problems: waiting for each other costs threads more than they gain, above all on a busy computer."""
    before = torch.get_num_threads()
    if products < SMALL:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _principal(features: Tensor, learnt: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """`(components [N, r], mean [D], projection [D, r])` with `components = (features - mean) @ projection`, standardised first.

    The mean, scale and directions are those of the rows in the mask `learnt [N]`; None means all.
    """
    rows = features if learnt is None else features[learnt]
    count, width = rows.shape
    mean = rows.mean(0)
    spread = rows.std(0, correction=0)
    # Against the liveliest feature, because an untrained network's may all be tiny; what hardly moves beside it is rounding.
    least = (spread.max() * 1e-5).clamp_min(torch.finfo(spread.dtype).tiny)
    scale = torch.where(spread > least, 1 / spread.clamp_min(least), 0)
    standard = (rows - mean) * scale
    if count <= width:
        values, vectors = torch.linalg.eigh(standard @ standard.T)
        keep = values > values[-1] * 1e-6
        projection = standard.T @ (vectors[:, keep] / values[keep].sqrt())
    else:
        values, vectors = torch.linalg.eigh(standard.T @ standard)
        projection = vectors[:, values > values[-1] * 1e-6]
    components = (standard if learnt is None else (features - mean) * scale) @ projection
    return components.contiguous(), mean, projection * scale[:, None]


class _Problems:
    """Loss and gradient of all problems at once. Parameters are `[r + 1, P * classes]`, the bias last and not regularised."""

    def __init__(
        self, components: Tensor, labels: Tensor, classes: int, folds: Tensor, fold_count: int, strengths: tuple[float, ...]
    ):
        count = len(components)
        self.components = components
        self.labels = labels
        self.classes = classes
        self.folds = folds
        self.fold_of_problem = torch.arange(fold_count).repeat_interleave(len(strengths))
        self.strength_count = len(strengths)
        used = torch.stack([(folds != fold).sum() for fold in range(fold_count)])[self.fold_of_problem].float()
        strength = torch.tensor(strengths).repeat(fold_count)
        self.used = used
        self.decay = 1 / (strength * used)
        self.block = max(1, BLOCK // (len(strength) * classes))
        self.shape = (components.shape[1] + 1, len(strength), classes)
        # Boehning: the Hessian of the cross-entropy is at most (1/2)(I - 11'/classes) x the second moment of the inputs.
        learnt = (folds[:, None] != torch.arange(fold_count)).any(1).float()
        moment = torch.cat([(learnt / learnt.sum()) @ components.square(), torch.ones(1)])
        regularised = torch.ones(self.shape[0])
        regularised[-1] = 0
        self.regularised = regularised[:, None, None]
        curvature = 0.5 * (1 - 1 / classes) * moment[:, None] + regularised[:, None] * self.decay
        self.preconditioner = (1 / curvature)[:, :, None]
        assert count == len(labels) == len(folds)

    def only(self, chosen: Tensor) -> _Problems:
        """Those of the problems that the mask `chosen [P]` names."""
        some = copy(self)
        some.fold_of_problem, some.used, some.decay = self.fold_of_problem[chosen], self.used[chosen], self.decay[chosen]
        some.preconditioner = self.preconditioner[:, chosen]
        some.shape = (self.shape[0], len(some.used), self.classes)
        some.block = max(1, BLOCK // (len(some.used) * self.classes))
        return some

    def evaluate(self, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """Mean losses `[P]` and gradients `[r + 1, P, classes]`."""
        weight, bias = parameters[:-1].flatten(1), parameters[-1].flatten()
        gradient = torch.zeros_like(parameters)
        loss = torch.zeros(self.shape[1])
        for start in range(0, len(self.components), self.block):
            rows = slice(start, start + self.block)
            inputs, labels = self.components[rows], self.labels[rows]
            mask = (self.folds[rows, None] != self.fold_of_problem) / self.used
            logits = torch.addmm(bias, inputs, weight).view(len(inputs), *self.shape[1:])
            target = labels[:, None, None].expand(-1, self.shape[1], 1)
            normaliser = logits.logsumexp(2, keepdim=True)
            loss += ((normaliser - logits.gather(2, target)).squeeze(2) * mask).sum(0)
            residual = logits.sub_(normaliser).exp_()
            residual.scatter_add_(2, target, residual.new_full((), -1.0).expand(target.shape))
            residual.mul_(mask[:, :, None])
            gradient[:-1] += (inputs.T @ residual.flatten(1)).view(-1, *self.shape[1:])
            gradient[-1] += residual.sum(0)
        loss += 0.5 * self.decay * parameters[:-1].square().sum((0, 2))
        gradient.addcmul_(parameters * self.regularised, self.decay[:, None].expand(self.shape[1:]))
        return loss, gradient

    def out_of_fold(self, parameters: Tensor) -> Tensor:
        """Logits `[N, strengths, classes]` of each sample from the problems that held it out; NaN where none did."""
        by_fold = parameters.view(self.shape[0], -1, self.strength_count, self.classes)
        result = torch.full((len(self.components), self.strength_count, self.classes), torch.nan)
        for fold in range(by_fold.shape[1]):
            rows = self.folds == fold
            logits = self.components[rows] @ by_fold[:-1, fold].flatten(1) + by_fold[-1, fold].flatten()
            result[rows] = logits.view(-1, self.strength_count, self.classes)
        return result


def _solve(problems: _Problems, checkpoint: Callable[[], None] | None) -> tuple[Tensor, int]:
    """Minimise all problems; the parameters `[r + 1, P, classes]` and how many steps it took.

    Strong regularisation is solved in a fraction of the steps that weak takes, so the solved ones leave the batch on the way.
    """
    solution = torch.zeros(problems.shape)
    open_ones = torch.arange(problems.shape[1])
    position = torch.zeros(problems.shape)
    loss, gradient = problems.evaluate(position)
    step = torch.ones(problems.shape[1])
    history: list[tuple[Tensor, Tensor, Tensor]] = []
    direction = -problems.preconditioner * gradient
    idle = torch.zeros(problems.shape[1], dtype=torch.long)
    taken = 0
    while taken < MAX_STEPS and (going := idle < 2).any():
        if checkpoint:
            checkpoint()
        if going.sum() <= LEAVE * len(going):
            solution[:, open_ones] = position
            open_ones, problems = open_ones[going], problems.only(going)
            position, gradient, direction = position[:, going], gradient[:, going], direction[:, going]
            loss, step, idle = loss[going], step[going], idle[going]
            history = [(change[:, going], bend[:, going], inverse[going]) for change, bend, inverse in history]
        taken += 1
        trial = position + direction * step[:, None]
        trial_loss, trial_gradient = problems.evaluate(trial)
        slope = (gradient * direction).sum((0, 2))
        accepted = trial_loss <= loss + 1e-4 * step * slope + 1e-7
        improved = torch.where(accepted, loss - trial_loss, torch.inf)
        idle = torch.where(improved < TOLERANCE, idle + 1, 0)
        # A problem whose step was refused keeps its place; its entry in the history is empty and changes nothing.
        move = accepted[:, None].float()
        change, bend = (trial - position) * move, (trial_gradient - gradient) * move
        history = [*history[-(MEMORY - 1) :], (change, bend, _inverse((change * bend).sum((0, 2))))]
        position = torch.where(accepted[:, None], trial, position)
        gradient = torch.where(accepted[:, None], trial_gradient, gradient)
        loss = torch.where(accepted, trial_loss, loss)
        fresh = _direction(gradient, history, problems.preconditioner)
        direction = torch.where(accepted[:, None], fresh, direction)
        step = torch.where(accepted, torch.ones_like(step), step * 0.4)
        idle = torch.where(step < 1e-3, 2, idle)
    solution[:, open_ones] = position
    return solution, taken


def _direction(gradient: Tensor, history: list[tuple[Tensor, Tensor, Tensor]], preconditioner: Tensor) -> Tensor:
    """The two-loop recursion, for all problems; falls back to the preconditioned gradient where it would go uphill."""
    vector = gradient.clone()
    shares = []
    for change, bend, inverse in reversed(history):
        share = inverse * (change * vector).sum((0, 2))
        vector.addcmul_(bend, share[:, None].expand(bend.shape[1:]), value=-1)
        shares.append(share)
    vector *= preconditioner
    for (change, bend, inverse), share in zip(history, reversed(shares), strict=True):
        again = inverse * (bend * vector).sum((0, 2))
        vector.addcmul_(change, (share - again)[:, None].expand(change.shape[1:]))
    uphill = (vector * gradient).sum((0, 2)) <= 0
    return -torch.where(uphill[:, None], preconditioner * gradient, vector)


def _inverse(product: Tensor) -> Tensor:
    """1 / product where the curvature is positive, else 0, which leaves the pair without effect."""
    return torch.where(product > 1e-10, 1 / product.clamp_min(1e-10), 0)


def _calibrated(logits: Tensor, labels: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Each strength's temperature and cross-entropy at it, from `[n, strengths, classes]`.

    Strengths are compared after calibration because that is what will be used: a weak head is not better for being less overconfident.
    """
    temperatures = tuple(fit_temperature(logits[:, place].numpy(), labels.numpy()) for place in range(logits.shape[1]))
    losses = tuple(
        cross_entropy(logits[:, place].numpy(), labels.numpy(), temperature) if len(labels) else math.nan
        for place, temperature in enumerate(temperatures)
    )
    return temperatures, losses
