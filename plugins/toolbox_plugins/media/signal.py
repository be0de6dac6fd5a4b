"""Faults of analogue signals and of video: colours coarse, beside their place or cast, ghosts, and combs."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from toolbox import UserError
from toolbox_plugins.degradations.noise import LUMA, luminance
from toolbox_plugins.degradations.stage import Draws, Size, Stage, check_bounds, check_probability, per_sample, uniform

FACTORS = {"4:4:4": (1, 1), "4:2:2": (1, 2), "4:2:0": (2, 2), "4:1:1": (1, 4), "4:1:0": (4, 4)}
"""How many rows and columns share a colour."""
Subsampling = Literal["4:4:4", "4:2:2", "4:2:0", "4:1:1", "4:1:0"]


class ChromaSubsampling(Stage):
    """Colours at a lower resolution than brightness, as in JPEG, DVD and DV; images of 1 channel stay as they are.

    One of `patterns` is drawn for each sample; colours are enlarged by repeating with `nearest_probability`, or else
    bilinearly.
    """

    def __init__(
        self,
        *,
        patterns: tuple[Subsampling, ...] = ("4:2:2", "4:2:0", "4:1:1"),
        nearest_probability: float = 0.5,
        probability: float = 1.0,
    ) -> None:
        super().__init__(probability=probability)
        for pattern in patterns:
            if pattern not in FACTORS:
                raise UserError(f"patterns must be of {', '.join(FACTORS)}, got {pattern!r}")
        if not patterns:
            raise UserError(f"patterns must name at least one of {', '.join(FACTORS)}")
        self.patterns = tuple(patterns)
        self.nearest_probability = check_probability("nearest_probability", nearest_probability)

    def draw(self, count: int, rng: torch.Generator) -> Draws:
        which = torch.randint(len(self.patterns), (count,), generator=rng)
        return {"which": which, "nearest": torch.rand(count, generator=rng) < self.nearest_probability}

    def treat(self, samples: list[Tensor], draws: Draws, final: Size) -> list[Tensor]:
        drawn = zip(samples, draws["which"].tolist(), draws["nearest"].tolist(), strict=True)
        return [subsampled(sample, FACTORS[self.patterns[which]], nearest) for sample, which, nearest in drawn]


class ChromaShift(Stage):
    """Colours beside their place, as of worn tapes: `shift` is the most, in pixels, down and across."""

    def __init__(self, *, shift: float = 3.0, probability: float = 1.0) -> None:
        super().__init__(probability=probability)
        self.shift = check_bounds("shift", (0, shift), low=0)[1]

    def draw(self, count: int, rng: torch.Generator) -> Draws:
        bounds = (-self.shift, self.shift)
        return {"down": uniform(count, bounds, rng), "across": uniform(count, bounds, rng)}

    def damage(self, images: Tensor, draws: Draws) -> Tensor:
        if images.shape[1] != 3:
            return images
        light = luminance(images)
        return recolored(light, shifted(images - light, draws["down"], draws["across"])).clamp(0, 1)


class ColorCast(Stage):
    """A cast, as of faded prints and wrong light: each channel times `gain`, and `offset` added (of [0, 1])."""

    def __init__(
        self,
        *,
        gain: tuple[float, float] = (0.85, 1.15),
        offset: tuple[float, float] = (-0.05, 0.05),
        probability: float = 1.0,
    ) -> None:
        super().__init__(probability=probability)
        self.gain, self.offset = check_bounds("gain", gain, low=0), check_bounds("offset", offset, low=-1, high=1)

    def draw(self, count: int, rng: torch.Generator) -> Draws:
        drawn = {"gain": uniform(3 * count, self.gain, rng), "offset": uniform(3 * count, self.offset, rng)}
        return {name: value.view(count, 3) for name, value in drawn.items()}

    def damage(self, images: Tensor, draws: Draws) -> Tensor:
        channels = torch.arange(images.shape[1]) % 3
        gain, offset = (draws[name][:, channels, None, None].to(images) for name in ("gain", "offset"))
        return (images * gain + offset).clamp(0, 1)


class Ghosting(Stage):
    """A second, faint picture beside the first, as of bad reception: `distance` in pixels, to either side."""

    def __init__(
        self,
        *,
        distance: tuple[float, float] = (2.0, 12.0),
        opacity: tuple[float, float] = (0.1, 0.4),
        probability: float = 1.0,
    ) -> None:
        super().__init__(probability=probability)
        self.distance = check_bounds("distance", distance, low=0)
        self.opacity = check_bounds("opacity", opacity, low=0, high=1)

    def draw(self, count: int, rng: torch.Generator) -> Draws:
        side = 1 - 2 * (torch.rand(count, generator=rng) < 0.5).float()
        return {"across": side * uniform(count, self.distance, rng), "opacity": uniform(count, self.opacity, rng)}

    def damage(self, images: Tensor, draws: Draws) -> Tensor:
        ghost = shifted(images, torch.zeros_like(draws["across"]), draws["across"])
        return torch.lerp(images, ghost, per_sample(draws["opacity"], images))


class Interlacing(Stage):
    """Two fields of a moment each: every second row is `distance` pixels beside its place, as things in motion are."""

    def __init__(self, *, distance: tuple[float, float] = (1.0, 8.0), probability: float = 1.0) -> None:
        super().__init__(probability=probability)
        self.distance = check_bounds("distance", distance, low=0)

    def draw(self, count: int, rng: torch.Generator) -> Draws:
        side = 1 - 2 * (torch.rand(count, generator=rng) < 0.5).float()
        return {"across": side * uniform(count, self.distance, rng)}

    def damage(self, images: Tensor, draws: Draws) -> Tensor:
        later = shifted(images, torch.zeros_like(draws["across"]), draws["across"])
        odd = torch.arange(images.shape[-2], device=images.device)[:, None] % 2 == 1
        return torch.where(odd, later, images)


def subsampled(sample: Tensor, factors: tuple[int, int], nearest: bool) -> Tensor:
    """A sample (C, H, W) with one colour for several rows and columns, the mean of theirs."""
    if sample.shape[0] != 3:
        return sample
    height, width = sample.shape[-2:]
    light = luminance(sample[None])
    small = F.interpolate(sample[None] - light, (-(-height // factors[0]), -(-width // factors[1])), mode="area")
    if nearest:
        large = F.interpolate(small, (height, width))
    else:
        large = F.interpolate(small, (height, width), mode="bilinear", align_corners=False)
    return recolored(light, large)[0].clamp(0, 1)


def recolored(light: Tensor, apart: Tensor) -> Tensor:
    """Images (B, 3, H, W) of a brightness (B, 1, H, W) and what red and blue differ from it by; green follows."""
    red, blue = apart[:, :1], apart[:, 2:]
    green = -(LUMA[0] * red + LUMA[2] * blue) / LUMA[1]
    return light + torch.cat([red, green, blue], 1)


def shifted(images: Tensor, down: Tensor, across: Tensor) -> Tensor:
    """Images (B, C, H, W) moved by pixels (B,) down and to the right, bilinearly; beyond the border is the border's."""
    height, width = images.shape[-2:]
    matrix = torch.zeros(len(images), 2, 3)
    matrix[:, 0, 0] = matrix[:, 1, 1] = 1
    matrix[:, 0, 2], matrix[:, 1, 2] = -2 * across.float() / width, -2 * down.float() / height
    grid = F.affine_grid(matrix.to(images), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)
