"""A stage: one kind of damage, with all its random parameters drawn before any image is looked at."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from toolbox import Degradation, UserError

from .arrays import with_channels

Draws = dict[str, Any]
"""Parameters by name, each a tensor (B, ...) with one entry per sample, or the `Draws` of a stage inside."""
Size = tuple[int, int]
CACHED = 2**18
"""So many numbers of a batch are worked on at once on a CPU: 1 MiB of float32."""


class Stage(Degradation):
    """Damages each sample with a probability of its own; several are composed by `Stages`.

    `draw` takes every parameter of every sample from the generator, used or not, in an order and number that depend
    on nothing but the configuration and the batch size. So a sample's damage depends on no other sample's content,
    and setting one stage's probability to 0 leaves what all others do as it was. Fields of noise come from seeds
    that are drawn the same way, one per sample, and are made where the images are: the same generator state gives
    the same output on the same kind of device; between CPU and GPU the parameters agree and the fields differ.
    """

    def __init__(self, *, probability: float = 1.0) -> None:
        super().__init__()
        self.probability = check_probability("probability", probability)

    @abstractmethod
    def draw(self, count: int, rng: torch.Generator) -> Draws:
        """Draw the parameters of `count` samples."""

    def treat(self, samples: list[Tensor], draws: Draws, final: Size) -> list[Tensor]:
        """Damage samples (C, H, W) of any sizes; `final` is the height and width that the whole chain ends with."""
        return in_batches(samples, draws, self.damage)

    def damage(self, images: Tensor, draws: Draws) -> Tensor:
        """Damage images (B, C, H, W), all of one size: what a stage implements unless it changes sizes."""
        raise NotImplementedError(f"{type(self).__name__} implements neither damage nor treat")

    def plan(self, count: int, rng: torch.Generator) -> Draws:
        """Draw which samples are damaged at all, and how."""
        return {"chosen": torch.rand(count, generator=rng) < self.probability, "how": self.draw(count, rng)}

    def run(self, samples: list[Tensor], plan: Draws, final: Size) -> list[Tensor]:
        """Damage those of the samples that the plan chose."""
        return on_some(samples, plan["chosen"], lambda some, at: self.treat(some, pick(plan["how"], at), final))

    def forward(self, images: Tensor, rng: torch.Generator) -> Tensor:
        """Damage images (B, C, H, W) in [0, 1] to (B, C, H/scale, W/scale) in [0, 1].

        Samples whose size the stage changed come back at that size, resized bilinearly. Raises ValueError where H or
        W is no multiple of the scale.
        """
        final = self.final_size(*images.shape[-2:])
        samples = self.run(list(images), self.plan(len(images), rng), final)
        return torch.stack([fit(sample, final) for sample in samples]).clamp(0, 1)

    def final_size(self, height: int, width: int) -> Size:
        """The size that an image ends with; ValueError where it is no whole one."""
        if height % self.scale or width % self.scale:
            raise ValueError(
                f"height {height} and width {width} must be multiples of {self.scale}; "
                f"crop to {height - height % self.scale}x{width - width % self.scale} first (ModCrop does)"
            )
        return height // self.scale, width // self.scale

    # ------------------------------------------------------------------ one image in a loader's worker

    def degrade(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Damage one image (H, W, C) as `forward` does, with other random numbers of the same distribution."""
        if image.ndim != 3:  # a clip
            return super().degrade(image, rng)
        final = self.final_size(*image.shape[:2])
        result = self.visit(image, rng, final)
        if result.shape[:2] != final:
            result = with_channels(cv2.resize(result, final[::-1], interpolation=cv2.INTER_LINEAR))
        return np.clip(result, 0, 1)

    def visit(self, image: np.ndarray, rng: np.random.Generator, final: Size) -> np.ndarray:
        """Damage an image with the stage's probability; all that it draws comes from one number of `rng`."""
        own = np.random.Generator(np.random.SFC64(int(rng.integers(2**62))))
        return self.alter(image, own, final) if own.random() < self.probability else image

    def alter(self, image: np.ndarray, rng: np.random.Generator, final: Size) -> np.ndarray:
        """Damage one image (H, W, C), float32; by the batch's way unless a stage has a faster one."""
        sample = torch.from_numpy(np.ascontiguousarray(np.moveaxis(image, -1, 0)))
        draws = self.draw(1, torch.Generator().manual_seed(int(rng.integers(2**62))))
        with torch.no_grad():
            damaged = self.treat([sample], draws, final)[0]
        return np.ascontiguousarray(np.moveaxis(damaged.numpy(), 0, -1))


def fit(sample: Tensor, size: Size) -> Tensor:
    """Resize one sample (C, H, W) bilinearly where it has not that size already."""
    if tuple(sample.shape[-2:]) == size:
        return sample
    return F.interpolate(sample[None], size, mode="bilinear", align_corners=False)[0]


def in_batches(samples: list[Tensor], draws: Draws, function: Callable[[Tensor, Draws], Tensor]) -> list[Tensor]:
    """Call `function` for samples of one size together, as (B, C, H, W) with their draws; keep the order.

    On a CPU in batches that fit its cache: larger ones are slower by a third.
    """
    groups: dict[torch.Size, list[list[int]]] = {}
    for i, sample in enumerate(samples):
        most = max(1, CACHED // sample.numel()) if sample.device.type == "cpu" else len(samples)
        batches = groups.setdefault(sample.shape, [[]])
        if len(batches[-1]) == most:
            batches.append([])
        batches[-1].append(i)
    results = list(samples)
    for indices in (batch for batches in groups.values() for batch in batches):
        images = torch.stack([samples[i] for i in indices]) if len(indices) > 1 else samples[indices[0]][None]
        for i, result in zip(indices, function(images, pick(draws, torch.tensor(indices))), strict=True):
            results[i] = result
    return results


def on_some(
    samples: list[Tensor], chosen: Tensor, function: Callable[[list[Tensor], Tensor], list[Tensor]]
) -> list[Tensor]:
    """Call `function` with the samples that a mask (B,) chooses and their indices; the others stay."""
    indices = chosen.nonzero().flatten()
    if not len(indices):
        return samples
    results = list(samples)
    for i, result in zip(indices.tolist(), function([samples[i] for i in indices.tolist()], indices), strict=True):
        results[i] = result
    return results


def pick(draws: Draws, indices: Tensor) -> Draws:
    """The draws of some of the samples."""
    return {name: pick(v, indices) if isinstance(v, dict) else v[indices] for name, v in draws.items()}


# ---------------------------------------------------------------------------- drawing


def uniform(count: int, bounds: Sequence[float], rng: torch.Generator) -> Tensor:
    """Numbers (count,), uniform between two bounds."""
    low, high = bounds
    return low + (high - low) * torch.rand(count, generator=rng)


def choice(count: int, weights: Sequence[float], rng: torch.Generator) -> Tensor:
    """Indices (count,) into `weights`, each as often as its share of their sum."""
    edges = torch.tensor(weights, dtype=torch.float64).cumsum(0)
    draws = torch.rand(count, generator=rng, dtype=torch.float64) * edges[-1]
    return torch.searchsorted(edges, draws, right=True).clamp(max=len(weights) - 1)


def seeds(count: int, rng: torch.Generator) -> Tensor:
    """One seed per sample (count,), for what is drawn pixel by pixel."""
    return torch.randint(2**62, (count,), generator=rng)


def generators(seeds: Tensor, device: torch.device) -> list[torch.Generator]:
    """A generator for each seed, on the images' device."""
    return [torch.Generator(device).manual_seed(seed) for seed in seeds.tolist()]


def per_sample(values: Tensor, like: Tensor) -> Tensor:
    """Values (B,) as (B, 1, 1, 1), of the type and on the device of the images `like`."""
    return values.to(device=like.device, dtype=like.dtype).view(-1, 1, 1, 1)


# ---------------------------------------------------------------------------- checking


def check_probability(name: str, value: float) -> float:
    """Refuse what is no probability."""
    if not 0 <= value <= 1:
        raise UserError(f"{name} must be a probability from 0 to 1, got {value}")
    return value


def check_bounds(name: str, value: Sequence[float], *, low: float, high: float = float("inf")) -> tuple[float, float]:
    """Refuse a range that is not two ascending numbers from `low` to `high`."""
    if len(value) != 2 or not low <= value[0] <= value[1] <= high:
        limit = f"from {low:g} to {high:g}" if high < float("inf") else f"of {low:g} or more"
        raise UserError(f"{name} must be [lowest, highest], numbers {limit}, got {list(value)}")
    return value[0], value[1]


def check_weights(name: str, value: Sequence[float], count: int) -> list[float]:
    """Refuse weights that are not `count` numbers of 0 or more, one of them above 0."""
    if len(value) != count or min(value) < 0 or not sum(value) > 0:
        raise UserError(f"{name} must be {count} numbers of 0 or more, one of them above 0, got {list(value)}")
    return list(value)
