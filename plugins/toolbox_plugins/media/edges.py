"""Edges as others leave them: halos of sharpening, stairs of careless scaling, lines that have grown thick."""

from __future__ import annotations

from math import ceil

import torch
from torch import Tensor
from torch.nn import functional as F

from toolbox_plugins.degradations.filtering import filter_images
from toolbox_plugins.degradations.kernels import gaussian_kernels
from toolbox_plugins.degradations.stage import Draws, Size, Stage, check_bounds, fit, per_sample, uniform

DEVIATIONS = 3
"""How far a Gaussian reaches, in deviations."""


class Halo(Stage):
    """Sharpening too strong: bright and dark seams along edges, images + strength * (images - blurred).

    `sigma` is the blur's deviation in pixels, and so the seams' width. Ringing of codecs and scalers is `SincFilter`.
    """

    def __init__(
        self,
        *,
        strength: tuple[float, float] = (0.5, 2.0),
        sigma: tuple[float, float] = (0.8, 2.5),
        probability: float = 1.0,
    ) -> None:
        super().__init__(probability=probability)
        self.strength = check_bounds("strength", strength, low=0)
        self.sigma = check_bounds("sigma", sigma, low=0.1, high=20)

    def draw(self, count: int, rng: torch.Generator) -> Draws:
        return {"strength": uniform(count, self.strength, rng), "sigma": uniform(count, self.sigma, rng)}

    def damage(self, images: Tensor, draws: Draws) -> Tensor:
        width = 2 * ceil(DEVIATIONS * self.sigma[1]) + 1
        sigma = draws["sigma"]
        kernels = gaussian_kernels(
            sigma, sigma, torch.zeros_like(sigma), sizes=torch.full(sigma.shape, width), width=width
        )
        blurred = filter_images(images, kernels.to(images))
        return (images + per_sample(draws["strength"], images) * (images - blurred)).clamp(0, 1)


class Aliasing(Stage):
    """Made smaller by dropping pixels and enlarged again: stairs along edges, thin lines broken.

    `factor` is how many times smaller; enlarged by repeating pixels with `nearest_probability`, or else bilinearly.
    """

    def __init__(
        self,
        *,
        factor: tuple[float, float] = (1.2, 2.5),
        nearest_probability: float = 0.5,
        probability: float = 1.0,
    ) -> None:
        super().__init__(probability=probability)
        self.factor = check_bounds("factor", factor, low=1)
        self.nearest_probability = check_bounds("nearest_probability", (0, nearest_probability), low=0, high=1)[1]

    def draw(self, count: int, rng: torch.Generator) -> Draws:
        nearest = torch.rand(count, generator=rng) < self.nearest_probability
        return {"factor": uniform(count, self.factor, rng), "nearest": nearest}

    def treat(self, samples: list[Tensor], draws: Draws, final: Size) -> list[Tensor]:
        made = []
        for sample, factor, nearest in zip(samples, draws["factor"].tolist(), draws["nearest"].tolist(), strict=True):
            height, width = sample.shape[-2:]
            small = F.interpolate(sample[None], (max(round(height / factor), 1), max(round(width / factor), 1)))[0]
            made.append(F.interpolate(small[None], (height, width))[0] if nearest else fit(small, (height, width)))
        return made


class ThickLines(Stage):
    """Dark lines grown thick, as in bad prints and enlarged line art: each pixel the darkest of its neighbours.

    `radius` is in pixels; between whole ones the two are mixed. It is drawn for each sample.
    """

    def __init__(self, *, radius: tuple[float, float] = (0.3, 1.5), probability: float = 1.0) -> None:
        super().__init__(probability=probability)
        self.radius = check_bounds("radius", radius, low=0, high=10)

    def draw(self, count: int, rng: torch.Generator) -> Draws:
        return {"radius": uniform(count, self.radius, rng)}

    def damage(self, images: Tensor, draws: Draws) -> Tensor:
        radius = per_sample(draws["radius"], images)
        for grown in range(ceil(self.radius[1])):
            darkest = -F.max_pool2d(-images, 3, stride=1, padding=1)
            images = torch.lerp(images, darkest, (radius - grown).clamp(0, 1))
        return images
