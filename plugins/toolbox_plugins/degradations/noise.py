"""Noise of sensors: Gaussian, Poisson and correlated between channels; and the rounding to 8 bits."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

from toolbox import constant

from .arrays import to_levels, with_channels
from .poisson import poisson_array, poisson_counts
from .stage import Draws, Size, Stage, check_bounds, check_probability, generators, per_sample, seeds, uniform

LUMA = (0.299, 0.587, 0.114)


class GaussianNoise(Stage):
    """Adds Gaussian noise of a standard deviation in 8-bit levels (Real-ESRGAN, Wang et al. 2021, section 3.1)."""

    def __init__(
        self, *, sigma: tuple[float, float] = (1.0, 30.0), gray_probability: float = 0.4, probability: float = 1.0
    ) -> None:
        """With `gray_probability` the channels share one field; samples never do."""
        super().__init__(probability=probability)
        self.sigma = check_bounds("sigma", sigma, low=0)
        self.gray_probability = check_probability("gray_probability", gray_probability)

    def draw(self, count: int, rng: torch.Generator) -> Draws:
        sigma = uniform(count, self.sigma, rng)
        gray = torch.rand(count, generator=rng) < self.gray_probability
        return {"sigma": sigma, "gray": gray, "seed": seeds(count, rng)}

    def damage(self, images: Tensor, draws: Draws) -> Tensor:
        noise = normal_fields(images, draws["seed"], draws["gray"])
        return torch.addcmul(images, noise, per_sample(draws["sigma"] / 255, images)).clamp_(0, 1)

    def alter(self, image: np.ndarray, rng: np.random.Generator, final: Size) -> np.ndarray:
        deviation, gray = rng.uniform(*self.sigma) / 255, rng.random() < self.gray_probability
        noise = np.empty((*image.shape[:2], 1 if gray else image.shape[2]), np.float32)
        cv2.setRNGSeed(int(rng.integers(2**31)))
        flat = noise.reshape(len(noise), -1)  # the same memory as one channel
        cv2.randn(flat, np.zeros(1), np.full(1, deviation))  # three times as fast as numpy's
        return np.clip(image + noise, 0, 1)

    def extra_repr(self) -> str:
        return f"sigma={self.sigma}, gray_probability={self.gray_probability}, probability={self.probability}"


class PoissonNoise(Stage):
    """Adds shot noise, `scale` times that of a sensor which counts as many photons as the image has gray levels.

    Real-ESRGAN (Wang et al. 2021): the image in 8 bits is multiplied by 2^ceil(log2(number of its distinct values)),
    replaced by Poisson counts and divided again; the difference, times `scale`, is added. Gradients pass as if the
    noise were constant.
    """

    def __init__(
        self, *, scale: tuple[float, float] = (0.05, 3.0), gray_probability: float = 0.4, probability: float = 1.0
    ) -> None:
        """With `gray_probability` the noise is that of the luminance, equal in all channels."""
        super().__init__(probability=probability)
        self.strength = check_bounds("scale", scale, low=0)
        self.gray_probability = check_probability("gray_probability", gray_probability)

    def draw(self, count: int, rng: torch.Generator) -> Draws:
        strength = uniform(count, self.strength, rng)
        gray = torch.rand(count, generator=rng) < self.gray_probability
        return {"strength": strength, "gray": gray, "seed": seeds(count, rng)}

    def damage(self, images: Tensor, draws: Draws) -> Tensor:
        gray, found = draws["gray"], images.detach()
        if gray.any() and not gray.all():
            noise = torch.empty_like(found)
            for at in (gray.nonzero().flatten(), (~gray).nonzero().flatten()):
                some = found[at.to(images.device)]
                some = luminance(some) if gray[at[0]] else some
                noise[at.to(images.device)] = _shot_noise(some, draws["seed"][at]).expand(-1, images.shape[1], -1, -1)
        else:
            noise = _shot_noise(luminance(found) if gray.any() else found, draws["seed"])
        return torch.addcmul(images, noise, per_sample(draws["strength"], images)).clamp_(0, 1)

    def alter(self, image: np.ndarray, rng: np.random.Generator, final: Size) -> np.ndarray:
        strength, seen = np.float32(rng.uniform(*self.strength)), image
        if rng.random() < self.gray_probability:
            weights = LUMA if image.shape[2] == 3 else (1 / image.shape[2],) * image.shape[2]
            seen = with_channels(cv2.transform(image, np.array([weights], np.float32)))
        levels = to_levels(seen)
        values = 2 ** int(np.ceil(np.log2(np.count_nonzero(np.bincount(levels.ravel(), minlength=256)))))
        noise = poisson_array(levels, values, rng).astype(np.float32) * np.float32(strength / values)
        return np.clip(image + (noise - levels * np.float32(strength / 255)), 0, 1)

    def extra_repr(self) -> str:
        return f"scale={self.strength}, gray_probability={self.gray_probability}, probability={self.probability}"


class CorrelatedNoise(Stage):
    """Adds Gaussian noise with a random covariance between channels (BSRGAN, Zhang et al. 2021, section 3.3).

    The covariance is |sigma^2 U^T D U| with D diagonal, uniform in [0, 1], and U a random orthogonal matrix.
    """

    def __init__(self, *, sigma: float = 25.0, probability: float = 1.0) -> None:
        """`sigma` is in 8-bit levels."""
        super().__init__(probability=probability)
        self.sigma = check_bounds("sigma", (0, sigma), low=0)[1]

    def draw(self, count: int, rng: torch.Generator) -> Draws:
        return {"seed": seeds(count, rng)}

    def damage(self, images: Tensor, draws: Draws) -> Tensor:
        noise = normal_fields(images, draws["seed"], torch.zeros(len(images), dtype=torch.bool))
        roots = torch.stack([_root(images.shape[1], seed) for seed in draws["seed"].tolist()]) * (self.sigma / 255)
        return (images + torch.einsum("bij,bjhw->bihw", roots.to(images), noise)).clamp_(0, 1)


class Quantize(Stage):
    """Rounds to 8 bits, as a saved image is; gradients pass as if it did not."""

    def draw(self, count: int, rng: torch.Generator) -> Draws:
        return {}

    def damage(self, images: Tensor, draws: Draws) -> Tensor:
        rounded = images.detach().mul(255).round_().clamp_(0, 255).div_(255)
        return images + (rounded - images).detach() if images.requires_grad else rounded

    def alter(self, image: np.ndarray, rng: np.random.Generator, final: Size) -> np.ndarray:
        return to_levels(image) / np.float32(255)


def normal_fields(images: Tensor, seeds: Tensor, gray: Tensor) -> Tensor:
    """Standard normal numbers like images (B, C, H, W), each sample from its seed, one for all channels where gray."""
    fields = torch.empty_like(images, requires_grad=False, memory_format=torch.contiguous_format)
    for field, generator, one in zip(fields, generators(seeds, images.device), gray.tolist(), strict=True):
        if one:
            field[:1].normal_(generator=generator)
            field[1:] = field[:1]
        else:
            field.normal_(generator=generator)
    return fields


def luminance(images: Tensor) -> Tensor:
    """Brightness (B, 1, H, W) of RGB images by Rec. 601; of other numbers of channels, the mean."""
    if images.shape[1] != 3:
        return images.mean(1, keepdim=True)
    return sum(images[:, i : i + 1] * weight for i, weight in enumerate(LUMA))  # pyright: ignore[reportReturnType]


def _shot_noise(images: Tensor, seeds: Tensor) -> Tensor:
    levels = images.mul(255).round_().clamp_(0, 255).to(torch.uint8)
    exponent = _distinct(levels).double().log2().ceil().long()
    counts = poisson_counts(levels, exponent, generators(seeds, images.device))
    return torch.addcmul(
        counts / per_sample(2.0**exponent, images), levels.to(images.dtype), constant(-1 / 255, images)
    )


def _distinct(levels: Tensor) -> Tensor:
    """How many different values each sample of (B, C, H, W) uint8 holds, (B,)."""
    return torch.stack([(torch.bincount(one.flatten(), minlength=256) > 0).sum() for one in levels])


def _root(channels: int, seed: int) -> Tensor:
    """A square root (C, C) of a random covariance."""
    rng = torch.Generator().manual_seed(seed ^ 1)  # the field's own seed is the same one
    orthogonal = torch.linalg.qr(torch.rand(channels, channels, generator=rng, dtype=torch.float64))[0]
    eigenvalues = torch.rand(channels, generator=rng, dtype=torch.float64)
    values, vectors = torch.linalg.eigh((orthogonal.T * eigenvalues @ orthogonal).abs())
    return (vectors * values.clamp(min=0).sqrt() @ vectors.T).float()
