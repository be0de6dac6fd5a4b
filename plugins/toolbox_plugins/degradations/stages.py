"""Stages composed: one after the other, one of several, in random order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from toolbox import Degradation, UserError, did_you_mean

from .arrays import pick_index
from .stage import Draws, Size, Stage, check_weights, choice, on_some, pick, seeds


class Stages(Stage):
    """Applies named stages in the order written, each to the samples that its probability chooses.

    `stages: {blur: {type: Blur}, noise: {type: GaussianNoise}}` can be changed by name, from a config that inherits it
    or from the command line: `model.degradation.stages.noise.probability=0`. Any degradation may be a stage. Whatever
    the stages did to the size, the result has 1/scale of the input's; let `FinalResize` choose how.
    """

    def __init__(self, *, stages: dict[str, Degradation], scale: int = 1, probability: float = 1.0) -> None:
        super().__init__(probability=probability)
        if scale < 1:
            raise UserError(f"scale must be 1 or more, got {scale}")
        self.scale, self.stages = scale, as_stages(stages)

    def draw(self, count: int, rng: torch.Generator) -> Draws:
        return {name: stage.plan(count, rng) for name, stage in named(self.stages)}

    def treat(self, samples: list[Tensor], draws: Draws, final: Size) -> list[Tensor]:
        for name, stage in named(self.stages):
            samples = stage.run(samples, draws[name], final)
        return samples

    def alter(self, image: np.ndarray, rng: np.random.Generator, final: Size) -> np.ndarray:
        for _, stage in named(self.stages):
            image = stage.visit(image, rng, final)
        return image


class OneOf(Stage):
    """Applies to each sample one of the named stages; `weights` (by name, 1 unless given) say how often."""

    def __init__(
        self, *, stages: dict[str, Degradation], weights: dict[str, float] | None = None, probability: float = 1.0
    ) -> None:
        super().__init__(probability=probability)
        self.stages, given = as_stages(stages), dict(weights or {})
        for name in given:
            if name not in stages:
                raise UserError(f"weights: '{name}' is no stage{did_you_mean(name, stages)}")
        self.weights = check_weights("weights", [given.get(name, 1.0) for name in stages], len(stages))

    def draw(self, count: int, rng: torch.Generator) -> Draws:
        plans: Draws = {"which": choice(count, self.weights, rng)}
        return plans | {f"of {name}": stage.plan(count, rng) for name, stage in named(self.stages)}

    def treat(self, samples: list[Tensor], draws: Draws, final: Size) -> list[Tensor]:
        for i, (name, stage) in enumerate(named(self.stages)):
            samples = run_on(samples, draws["which"] == i, stage, draws[f"of {name}"], final)
        return samples

    def alter(self, image: np.ndarray, rng: np.random.Generator, final: Size) -> np.ndarray:
        return named(self.stages)[pick_index(self.weights, rng)][1].visit(image, rng, final)


class Shuffle(Stage):
    """Applies all named stages to each sample, in a random order of its own (BSRGAN, Zhang et al. 2021).

    `in_order` names stages that keep the order written among themselves: they take the places drawn for them, sorted.
    """

    def __init__(
        self, *, stages: dict[str, Degradation], in_order: tuple[str, ...] = (), probability: float = 1.0
    ) -> None:
        super().__init__(probability=probability)
        self.stages = as_stages(stages)
        for name in in_order:
            if name not in stages:
                raise UserError(f"in_order: '{name}' is no stage{did_you_mean(name, stages)}")
        self.ordered = [i for i, name in enumerate(stages) if name in in_order]

    def draw(self, count: int, rng: torch.Generator) -> Draws:
        order = torch.rand(count, len(self.stages), generator=rng).argsort(1)  # (B, stages): which stage comes when
        kept = torch.isin(order, torch.tensor(self.ordered, dtype=order.dtype))
        order[kept] = torch.tensor(self.ordered, dtype=order.dtype).repeat(count)  # row by row
        return {"order": order} | {f"of {name}": stage.plan(count, rng) for name, stage in named(self.stages)}

    def treat(self, samples: list[Tensor], draws: Draws, final: Size) -> list[Tensor]:
        for place in range(len(self.stages)):
            for i, (name, stage) in enumerate(named(self.stages)):
                samples = run_on(samples, draws["order"][:, place] == i, stage, draws[f"of {name}"], final)
        return samples

    def alter(self, image: np.ndarray, rng: np.random.Generator, final: Size) -> np.ndarray:
        stages, order = named(self.stages), rng.permutation(len(self.stages))
        order[np.isin(order, self.ordered)] = self.ordered
        for i in order:
            image = stages[i][1].visit(image, rng, final)
        return image


class Foreign(Stage):
    """Any other degradation as a stage: each sample alone, with a generator seeded for it."""

    def __init__(self, *, degradation: Degradation) -> None:
        super().__init__()
        self.degradation = degradation

    def draw(self, count: int, rng: torch.Generator) -> Draws:
        return {"seed": seeds(count, rng)}

    def treat(self, samples: list[Tensor], draws: Draws, final: Size) -> list[Tensor]:
        generators = (torch.Generator().manual_seed(seed) for seed in draws["seed"].tolist())
        return [self.degradation(one[None], rng)[0] for one, rng in zip(samples, generators, strict=True)]

    def alter(self, image: np.ndarray, rng: np.random.Generator, final: Size) -> np.ndarray:
        return self.degradation.degrade(image, rng)


def as_stages(stages: Mapping[str, Degradation]) -> nn.ModuleDict:
    """Check the names and make every degradation a stage."""
    if not stages:
        raise UserError("stages needs at least one: stages: {blur: {type: Blur}}")
    for name in stages:
        if not isinstance(name, str) or "." in name or not name:
            raise UserError(f"stages: a name must be text without a dot, got {name!r}")
    return nn.ModuleDict({f"stage_{n}": _stage(each) for n, each in stages.items()})


def named(stages: nn.ModuleDict) -> Sequence[tuple[str, Stage]]:
    """The stages with their names; torch's own dictionary cannot hold every name ('type', 'pop')."""
    return [(name.removeprefix("stage_"), stage) for name, stage in stages.items()]  # pyright: ignore[reportReturnType]


def run_on(samples: list[Tensor], chosen: Tensor, stage: Stage, plan: Draws, final: Size) -> list[Tensor]:
    """Run a stage on the samples that a mask (B,) chooses."""
    return on_some(samples, chosen, lambda some, at: stage.run(some, pick(plan, at), final))


def _stage(degradation: Degradation) -> Stage:
    # A stage that ends at a size of its own (nested `Stages` with a scale) does so as any other degradation does.
    alone = not isinstance(degradation, Stage) or degradation.scale != 1
    return Foreign(degradation=degradation) if alone else degradation  # pyright: ignore[reportReturnType]
