"""Too few tones: bands, dithering, and the dots of print."""

from __future__ import annotations

from math import pi

import torch
from torch import Tensor

from toolbox import constant
from toolbox_plugins.degradations.noise import luminance
from toolbox_plugins.degradations.stage import (
    Draws,
    Stage,
    check_bounds,
    check_probability,
    generators,
    per_sample,
    seeds,
    uniform,
)

SIDE = 8
"""Of the ordered dither's matrix."""
ANGLES = (15.0, 75.0, 0.0)
"""Degrees between the screens of three inks, so that their dots do not fall together."""


class Banding(Stage):
    """Fewer tones, without dithering: smooth skies become bands. `levels` is how many each channel has.

    Gradients pass as if nothing was rounded.
    """

    def __init__(self, *, levels: tuple[int, int] = (12, 48), probability: float = 1.0) -> None:
        super().__init__(probability=probability)
        self.levels = check_bounds("levels", levels, low=2, high=256)

    def draw(self, count: int, rng: torch.Generator) -> Draws:
        return {"levels": whole(count, self.levels, rng)}

    def damage(self, images: Tensor, draws: Draws) -> Tensor:
        steps = per_sample(draws["levels"] - 1, images)
        return passed(images, (images.detach() * steps).round() / steps)


class Dither(Stage):
    """Fewer tones, with dithering, as in GIF and old games: ordered with `ordered_probability`, or else by noise.

    Ordered: Bayer's matrix of 8x8 thresholds. `levels` is how many tones each channel has, 2 and more. Gradients pass
    as if nothing was rounded.
    """

    def __init__(
        self, *, levels: tuple[int, int] = (3, 16), ordered_probability: float = 0.7, probability: float = 1.0
    ) -> None:
        super().__init__(probability=probability)
        self.levels = check_bounds("levels", levels, low=2, high=256)
        self.ordered_probability = check_probability("ordered_probability", ordered_probability)

    def draw(self, count: int, rng: torch.Generator) -> Draws:
        ordered = torch.rand(count, generator=rng) < self.ordered_probability
        return {"levels": whole(count, self.levels, rng), "ordered": ordered, "seed": seeds(count, rng)}

    def damage(self, images: Tensor, draws: Draws) -> Tensor:
        height, width = images.shape[-2:]
        matrix = bayer(SIDE).to(images).repeat(-(-height // SIDE), -(-width // SIDE))[:height, :width]
        thresholds = torch.empty_like(images[:, :1], requires_grad=False)  # of all channels alike
        for field, rng, ordered in zip(
            thresholds, generators(draws["seed"], images.device), draws["ordered"].tolist(), strict=True
        ):
            if ordered:
                field.copy_(matrix)
            else:
                field.uniform_(generator=rng)
        steps = per_sample(draws["levels"] - 1, images)
        return passed(images, ((images.detach() * steps + thresholds).floor() / steps).clamp(0, 1))


class Screentone(Stage):
    """The dots of print: in manga and newspapers of one ink, in magazines of three at angles of their own.

    A dot is as large as the tone is dark. `period` is the dots' distance in pixels, `opacity` how much of the picture
    is dots, and with `color_probability` each channel has a screen; else the brightness alone is printed.
    """

    def __init__(
        self,
        *,
        period: tuple[float, float] = (2.5, 7.0),
        opacity: tuple[float, float] = (0.4, 1.0),
        color_probability: float = 0.5,
        probability: float = 1.0,
    ) -> None:
        super().__init__(probability=probability)
        self.period = check_bounds("period", period, low=2)
        self.opacity = check_bounds("opacity", opacity, low=0, high=1)
        self.color_probability = check_probability("color_probability", color_probability)

    def draw(self, count: int, rng: torch.Generator) -> Draws:
        color = torch.rand(count, generator=rng) < self.color_probability
        return {
            "period": uniform(count, self.period, rng), "opacity": uniform(count, self.opacity, rng),
            "theta": uniform(count, (0, pi / 2), rng), "color": color,
        }  # fmt: skip

    def damage(self, images: Tensor, draws: Draws) -> Tensor:
        height, width = images.shape[-2:]
        y = torch.arange(height, device=images.device, dtype=images.dtype)[:, None]
        x = torch.arange(width, device=images.device, dtype=images.dtype)
        color = per_sample(draws["color"], images)
        tones = torch.lerp(luminance(images).expand_as(images), images, color)
        angles = constant(tuple(ANGLES[i % len(ANGLES)] * pi / 180 for i in range(images.shape[1])), images)
        apart = angles.view(1, -1, 1, 1) * color
        theta = per_sample(draws["theta"], images) + apart  # (B, C, 1, 1)
        turn = 2 * pi / per_sample(draws["period"], images)
        along = ((x * theta.cos() + y * theta.sin()) * turn).cos()
        across = ((y * theta.cos() - x * theta.sin()) * turn).cos()
        screen = (2 + along + across) / 4  # (B, C, H, W) in [0, 1]
        dots = ((tones - screen) * per_sample(draws["period"], images) + 0.5).clamp(0, 1)  # edges of about a pixel
        return torch.lerp(images, dots, per_sample(draws["opacity"], images))


def whole(count: int, bounds: tuple[float, float], rng: torch.Generator) -> Tensor:
    """Whole numbers (count,), each from the lower to the upper bound equally often."""
    return uniform(count, (bounds[0], bounds[1] + 1), rng).floor().clamp(max=bounds[1])


def passed(images: Tensor, rounded: Tensor) -> Tensor:
    """What was rounded, with the gradient of what was not."""
    return images + (rounded - images).detach() if images.requires_grad else rounded


def bayer(side: int) -> Tensor:
    """Thresholds (side, side) between 0 and 1 of which near ones are far apart; side is a power of 2."""
    ranks = torch.zeros(1, 1)
    while len(ranks) < side:
        ranks = torch.cat([torch.cat([4 * ranks, 4 * ranks + 2], 1), torch.cat([4 * ranks + 3, 4 * ranks + 1], 1)])
    return (ranks + 0.5) / side**2
