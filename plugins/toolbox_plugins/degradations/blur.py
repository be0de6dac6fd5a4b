"""Blur: with the random kernels of Real-ESRGAN and BSRGAN, with a ringing low pass, out of focus, in motion."""

from __future__ import annotations

from collections.abc import Sequence
from math import pi
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from toolbox import UserError

from .arrays import filter_array, gaussian_kernel, pick_index, sinc_kernel
from .filtering import filter_images
from .kernels import (
    disk_kernels,
    gaussian_kernels,
    generalized_gaussian_kernels,
    motion_kernels,
    plateau_kernels,
    sinc_kernels,
)
from .stage import Draws, Size, Stage, check_bounds, check_probability, check_weights, choice, uniform

SHAPES = ("isotropic", "anisotropic", "generalized_isotropic", "generalized_anisotropic")
SHAPES += ("plateau_isotropic", "plateau_anisotropic")


class Blur(Stage):
    """Filters with a random kernel (Real-ESRGAN, Wang et al. 2021, appendix A).

    With `sinc_probability` the kernel is a sinc of a cut-off from pi/3 (pi/5 for sizes of 13 and more) to pi;
    otherwise one of `SHAPES`, weighted by `shapes` in that order, with both spreads and the angle uniform.
    """

    def __init__(
        self,
        *,
        sizes: tuple[int, int] = (7, 21),
        shapes: tuple[float, ...] = (0.45, 0.25, 0.12, 0.03, 0.12, 0.03),
        sigma: tuple[float, float] = (0.2, 3.0),
        spread: Literal["sigma", "variance"] = "sigma",
        beta_gaussian: tuple[float, float] = (0.5, 4.0),
        beta_plateau: tuple[float, float] = (1.0, 2.0),
        sinc_probability: float = 0.1,
        probability: float = 1.0,
    ) -> None:
        """`sizes` are odd side lengths, all between two as likely. `sigma` is in pixels, or with `spread: variance`
        the bounds of its square, as in BSRGAN. Half of all betas are drawn below 1 and half above.
        """
        super().__init__(probability=probability)
        self.sizes, self.width = _check_sizes(sizes)
        self.shapes = check_weights("shapes", shapes, len(SHAPES))
        self.sigma, self.spread = check_bounds("sigma", sigma, low=0), spread
        self.beta_gaussian = _check_beta("beta_gaussian", beta_gaussian)
        self.beta_plateau = _check_beta("beta_plateau", beta_plateau)
        self.sinc_probability = check_probability("sinc_probability", sinc_probability)

    def draw(self, count: int, rng: torch.Generator) -> Draws:
        sizes = _draw_sizes(count, self.sizes, rng)
        shape = choice(count, self.shapes, rng)
        sigma_x, sigma_y = (uniform(count, self.sigma, rng) for _ in range(2))
        theta = uniform(count, (-pi, pi), rng)
        gaussian, plateau = _draw_beta(count, self.beta_gaussian, rng), _draw_beta(count, self.beta_plateau, rng)
        sinc = torch.rand(count, generator=rng) < self.sinc_probability
        lowest = torch.where(sizes < 13, pi / 3, pi / 5)
        cutoff = lowest + (pi - lowest) * torch.rand(count, generator=rng)
        if self.spread == "variance":
            sigma_x, sigma_y = sigma_x.sqrt(), sigma_y.sqrt()
        isotropic = shape % 2 == 0
        draws = {
            "size": sizes,
            "family": torch.where(sinc, 3, shape // 2),  # Gaussian, generalised, plateau, sinc
            "sigma_x": sigma_x,
            "sigma_y": torch.where(isotropic, sigma_x, sigma_y),
            "theta": torch.where(isotropic, 0.0, theta),
            "beta": torch.where(shape // 2 == 2, plateau, gaussian),
            "cutoff": cutoff,
        }
        return draws | {"kernel": self.kernels(draws)}

    def kernels(self, draws: Draws) -> Tensor:
        """The kernels (B, k, k) of these draws."""
        width, kernels = self.width, torch.zeros(len(draws["size"]), self.width, self.width)
        for family in range(4):
            at = draws["family"] == family
            if not at.any():
                continue
            sizes, cutoff, beta = draws["size"][at], draws["cutoff"][at], draws["beta"][at]
            ellipse = (draws["sigma_x"][at], draws["sigma_y"][at], draws["theta"][at])
            if family == 0:
                kernels[at] = gaussian_kernels(*ellipse, sizes=sizes, width=width)
            elif family == 1:
                kernels[at] = generalized_gaussian_kernels(*ellipse, beta, sizes=sizes, width=width)
            elif family == 2:
                kernels[at] = plateau_kernels(*ellipse, beta, sizes=sizes, width=width)
            else:
                kernels[at] = sinc_kernels(cutoff, sizes=sizes, width=width)
        return kernels

    def damage(self, images: Tensor, draws: Draws) -> Tensor:
        return filter_images(images, draws["kernel"].to(images.device))

    def alter(self, image: np.ndarray, rng: np.random.Generator, final: Size) -> np.ndarray:
        return filter_array(image, self.kernel(rng))

    def kernel(self, rng: np.random.Generator) -> np.ndarray:
        """One random kernel (k, k), of the same distribution as `draw` gives."""
        size = _draw_size(self.sizes, rng)
        if rng.random() < self.sinc_probability:
            return sinc_kernel(size, rng.uniform(pi / 3 if size < 13 else pi / 5, pi))
        shape = pick_index(self.shapes, rng)
        x, y = (value**0.5 if self.spread == "variance" else value for value in rng.uniform(*self.sigma, 2))
        theta = rng.uniform(-pi, pi)
        if shape % 2 == 0:
            y, theta = x, 0.0
        low, high = self.beta_plateau if shape // 2 == 2 else self.beta_gaussian
        beta = rng.uniform(low, 1) if rng.random() < 0.5 else rng.uniform(1, high)
        if shape // 2 == 2:
            return gaussian_kernel(size, x, y, theta, lambda q: 1 / (1 + q**beta))
        return gaussian_kernel(size, x, y, theta, lambda q: np.exp(-0.5 * (q if shape // 2 == 0 else q**beta)))

    def extra_repr(self) -> str:
        return f"sigma={self.sigma}, probability={self.probability}"


class SincFilter(Stage):
    """Filters with a sinc, whose ringing and overshoot sharpening and strong JPEG leave (Real-ESRGAN, section 3.2)."""

    def __init__(
        self,
        *,
        sizes: tuple[int, int] = (7, 21),
        cutoff: tuple[float, float] = (pi / 3, pi),
        probability: float = 1.0,
    ) -> None:
        """`cutoff` is in radians per pixel; pi keeps everything."""
        super().__init__(probability=probability)
        self.sizes, self.width = _check_sizes(sizes)
        self.cutoff = check_bounds("cutoff", cutoff, low=0.1, high=3.1416)

    def draw(self, count: int, rng: torch.Generator) -> Draws:
        sizes, cutoff = _draw_sizes(count, self.sizes, rng), uniform(count, self.cutoff, rng)
        return {"size": sizes, "cutoff": cutoff, "kernel": sinc_kernels(cutoff, sizes=sizes, width=self.width)}

    def damage(self, images: Tensor, draws: Draws) -> Tensor:
        return filter_images(images, draws["kernel"].to(images.device))

    def alter(self, image: np.ndarray, rng: np.random.Generator, final: Size) -> np.ndarray:
        return filter_array(image, sinc_kernel(_draw_size(self.sizes, rng), rng.uniform(*self.cutoff)))

    def extra_repr(self) -> str:
        return f"cutoff={self.cutoff}, probability={self.probability}"


class DefocusBlur(Stage):
    """A lens out of focus: every point becomes a disk of a radius in pixels."""

    def __init__(self, *, radius: tuple[float, float] = (0.5, 5.0), probability: float = 1.0) -> None:
        super().__init__(probability=probability)
        self.radius = check_bounds("radius", radius, low=0, high=100)
        self.width = 2 * int(radius[1] + 1) + 1

    def draw(self, count: int, rng: torch.Generator) -> Draws:
        radius = uniform(count, self.radius, rng)
        return {"radius": radius, "kernel": disk_kernels(radius, width=self.width)}

    def damage(self, images: Tensor, draws: Draws) -> Tensor:
        return filter_images(images, draws["kernel"].to(images.device))


class MotionBlur(Stage):
    """A camera that moved straight and evenly while the shutter was open: a line of a length in pixels, any angle."""

    def __init__(self, *, length: tuple[float, float] = (2.0, 20.0), probability: float = 1.0) -> None:
        super().__init__(probability=probability)
        self.length = check_bounds("length", length, low=0, high=200)
        self.width = 2 * int(length[1] / 2 + 1) + 1

    def draw(self, count: int, rng: torch.Generator) -> Draws:
        length, theta = uniform(count, self.length, rng), uniform(count, (0, pi), rng)
        return {"length": length, "theta": theta, "kernel": motion_kernels(length, theta, width=self.width)}

    def damage(self, images: Tensor, draws: Draws) -> Tensor:
        return filter_images(images, draws["kernel"].to(images.device))


def _check_sizes(sizes: Sequence[int]) -> tuple[tuple[int, int], int]:
    """Refuse sizes that are not two odd, ascending numbers; the largest is the kernels' width."""
    if len(sizes) != 2 or not 1 <= sizes[0] <= sizes[1] or sizes[0] % 2 == 0 or sizes[1] % 2 == 0:
        raise UserError(f"sizes must be [smallest, largest], two odd numbers, got {list(sizes)}")
    return (sizes[0], sizes[1]), sizes[1]


def _draw_sizes(count: int, sizes: tuple[int, int], rng: torch.Generator) -> Tensor:
    return sizes[0] + 2 * torch.randint((sizes[1] - sizes[0]) // 2 + 1, (count,), generator=rng)


def _draw_size(sizes: tuple[int, int], rng: np.random.Generator) -> int:
    return sizes[0] + 2 * int(rng.integers((sizes[1] - sizes[0]) // 2 + 1))


def _check_beta(name: str, bounds: Sequence[float]) -> tuple[float, float]:
    low, high = check_bounds(name, bounds, low=0.1, high=10)
    if not low <= 1 <= high:
        raise UserError(f"{name} must reach from 1 or less to 1 or more, got {list(bounds)}")
    return low, high


def _draw_beta(count: int, bounds: tuple[float, float], rng: torch.Generator) -> Tensor:
    """Half below 1 and half above, each uniform: so half of Real-ESRGAN's plateaus have a beta of exactly 1."""
    below = torch.rand(count, generator=rng) < 0.5
    return torch.where(below, uniform(count, (bounds[0], 1.0), rng), uniform(count, (1.0, bounds[1]), rng))
