"""Damage of old prints, for restoration: scratches, dust, folds and missing regions.

Positions and lengths are shares of the image's shorter side, widths are pixels. Everything is drawn per sample and
painted where the images are; all of it is differentiable in the images, and hidden pixels get no gradient.
"""

from __future__ import annotations

from math import pi

import torch
from torch import Tensor
from torch.nn import functional as F

from toolbox import UserError

from .stage import Draws, Stage, check_bounds, generators, per_sample, seeds, uniform


class Scratches(Stage):
    """Thin bent lines, bright or dark, opaque to faint, of a length and in a direction of their own."""

    def __init__(
        self,
        *,
        count: tuple[int, int] = (1, 8),
        width: tuple[float, float] = (0.5, 2.5),
        length: tuple[float, float] = (0.2, 1.5),
        opacity: tuple[float, float] = (0.3, 1.0),
        probability: float = 1.0,
    ) -> None:
        super().__init__(probability=probability)
        self.count = _check_count(count)
        self.width = check_bounds("width", width, low=0.1)
        self.length = check_bounds("length", length, low=0)
        self.opacity = check_bounds("opacity", opacity, low=0, high=1)

    def draw(self, count: int, rng: torch.Generator) -> Draws:
        most = self.count[1]
        each = {
            "y": uniform(count * most, (0, 1), rng),
            "x": uniform(count * most, (0, 1), rng),
            "theta": uniform(count * most, (0, pi), rng),
            "length": uniform(count * most, self.length, rng),
            "width": uniform(count * most, self.width, rng),
            "bend": uniform(count * most, (-0.1, 0.1), rng),
            "opacity": uniform(count * most, self.opacity, rng),
            "bright": (torch.rand(count * most, generator=rng) < 0.7).float(),
        }
        return {name: value.view(count, most) for name, value in each.items()} | _draw_count(count, self.count, rng)

    def damage(self, images: Tensor, draws: Draws) -> Tensor:
        for i in range(self.count[1]):
            each = {name: per_sample(value[:, i], images) for name, value in draws.items() if name != "count"}
            along, across, side = _turned(images, each["y"], each["x"], each["theta"])
            across = across - each["bend"] * side * (2 * along / side) ** 2
            line = (each["width"] / 2 + 0.5 - across.abs()).clamp(0, 1)
            line = line * (each["length"] * side / 2 - along.abs()).clamp(0, 1)
            cover = line * each["opacity"] * per_sample(draws["count"] > i, images)
            images = images + cover * (0.05 + 0.9 * each["bright"] - images)
        return images


class Dust(Stage):
    """Specks and blots: soft-edged ellipses of random size and angle, bright or dark."""

    def __init__(
        self,
        *,
        count: tuple[int, int] = (5, 40),
        radius: tuple[float, float] = (0.5, 3.0),
        probability: float = 1.0,
    ) -> None:
        """`radius` is in pixels; small specks are more frequent."""
        super().__init__(probability=probability)
        self.count, self.radius = _check_count(count), check_bounds("radius", radius, low=0.1)

    def draw(self, count: int, rng: torch.Generator) -> Draws:
        most, (low, high) = self.count[1], self.radius
        each = {
            "y": uniform(count * most, (0, 1), rng),
            "x": uniform(count * most, (0, 1), rng),
            "theta": uniform(count * most, (0, pi), rng),
            "radius": low * (high / low) ** torch.rand(count * most, generator=rng),
            "aspect": uniform(count * most, (0.4, 1.0), rng),
            "bright": (torch.rand(count * most, generator=rng) < 0.6).float(),
        }
        return {name: value.view(count, most) for name, value in each.items()} | _draw_count(count, self.count, rng)

    def damage(self, images: Tensor, draws: Draws) -> Tensor:
        for i in range(int(draws["count"].max())):
            each = {name: per_sample(value[:, i], images) for name, value in draws.items() if name != "count"}
            along, across, _ = _turned(images, each["y"], each["x"], each["theta"])
            distance = (along**2 + (across / each["aspect"]) ** 2).sqrt()
            cover = (each["radius"] + 0.5 - distance).clamp(0, 1) * per_sample(draws["count"] > i, images)
            images = images + cover * (0.1 + 0.8 * each["bright"] - images)
        return images


class Folds(Stage):
    """Creases across the whole print: a bright worn line, shaded darker on one side and lighter on the other."""

    def __init__(
        self,
        *,
        count: tuple[int, int] = (1, 3),
        width: tuple[float, float] = (0.5, 2.0),
        shading: tuple[float, float] = (0.05, 0.25),
        probability: float = 1.0,
    ) -> None:
        """`shading` is the change of brightness right beside the crease."""
        super().__init__(probability=probability)
        self.count, self.width = _check_count(count), check_bounds("width", width, low=0.1)
        self.shading = check_bounds("shading", shading, low=0, high=1)

    def draw(self, count: int, rng: torch.Generator) -> Draws:
        most = self.count[1]
        each = {
            "y": uniform(count * most, (0.15, 0.85), rng),
            "x": uniform(count * most, (0.15, 0.85), rng),
            "theta": uniform(count * most, (0, pi), rng),
            "width": uniform(count * most, self.width, rng),
            "shading": uniform(count * most, self.shading, rng),
            "wear": uniform(count * most, (0.3, 0.9), rng),
        }
        return {name: value.view(count, most) for name, value in each.items()} | _draw_count(count, self.count, rng)

    def damage(self, images: Tensor, draws: Draws) -> Tensor:
        for i in range(self.count[1]):
            each = {name: per_sample(value[:, i], images) for name, value in draws.items() if name != "count"}
            there = per_sample(draws["count"] > i, images)
            _, across, side = _turned(images, each["y"], each["x"], each["theta"])
            shade = across.sign() * torch.exp(-across.abs() / (0.04 * side)) * each["shading"]
            crease = (each["width"] / 2 + 0.5 - across.abs()).clamp(0, 1) * each["wear"] * there
            images = (images + shade * there).clamp(0, 1)
            images = images + crease * (0.95 - images)
        return images


class MissingRegions(Stage):
    """Torn or rotten parts: blobs of irregular outline, covered with one gray."""

    def __init__(
        self, *, area: tuple[float, float] = (0.02, 0.15), coarseness: int = 6, probability: float = 1.0
    ) -> None:
        """`area` is the share of pixels that are lost; `coarseness` the cells of the random field along a side."""
        super().__init__(probability=probability)
        self.area = check_bounds("area", area, low=0, high=1)
        if coarseness < 2:
            raise UserError(f"coarseness must be 2 or more, got {coarseness}")
        self.coarseness = coarseness

    def draw(self, count: int, rng: torch.Generator) -> Draws:
        area, fill = uniform(count, self.area, rng), torch.rand(count, generator=rng)
        fields = [
            torch.randn(1, self.coarseness, self.coarseness, generator=generator)
            for generator in generators(seeds(count, rng), torch.device("cpu"))
        ]
        return {"area": area, "fill": fill, "field": torch.stack(fields)}

    def damage(self, images: Tensor, draws: Draws) -> Tensor:
        field = F.interpolate(draws["field"].to(images), images.shape[-2:], mode="bicubic", align_corners=False)
        lost = (draws["area"] * field[0].numel()).round().long()
        highest = field.flatten(1).sort(1, descending=True).values
        limit = torch.cat([highest[:, :1] + 1, highest], 1).gather(1, lost.to(images.device)[:, None])
        hidden = field >= per_sample(limit[:, 0], images)
        return torch.where(hidden, per_sample(draws["fill"], images), images)


def _turned(images: Tensor, y: Tensor, x: Tensor, theta: Tensor) -> tuple[Tensor, Tensor, int]:
    """Pixels along and across a direction from a point (B, 1, H, W), and the shorter side in pixels."""
    height, width = images.shape[-2:]
    down = torch.arange(height, device=images.device, dtype=images.dtype)[:, None] - y * height + 0.5
    right = torch.arange(width, device=images.device, dtype=images.dtype) - x * width + 0.5
    cosine, sine = theta.cos(), theta.sin()
    return right * cosine + down * sine, down * cosine - right * sine, min(height, width)


def _check_count(count: tuple[int, int]) -> tuple[int, int]:
    if len(count) != 2 or not 0 <= count[0] <= count[1] or count[1] < 1:
        raise UserError(f"count must be [fewest, most], whole numbers of 0 or more, got {list(count)}")
    return count[0], count[1]


def _draw_count(samples: int, count: tuple[int, int], rng: torch.Generator) -> Draws:
    return {"count": torch.randint(count[0], count[1] + 1, (samples,), generator=rng)}
