"""Unsharp masking as Real-ESRGAN sharpens its ground truth: only where the difference to the blurred is visible."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import torch
from torch import Tensor

from toolbox import UserError

from .arrays import with_channels
from .filtering import filter_separable
from .stage import Draws, Size, Stage


def usm_sharpen(images: Tensor, *, weight: float = 0.5, radius: int = 50, threshold: float = 10.0) -> Tensor:
    """Sharpen images (B, C, H, W) in [0, 1]; the same shape and range.

    Real-ESRGAN (Wang et al. 2021, section 3.3): images + weight * (images - blurred), cut to [0, 1], is mixed in
    through a mask of where the difference exceeds `threshold` (in 8-bit levels), which is blurred to be soft. The
    Gaussian spans `radius` pixels, made odd (51), with OpenCV's sigma for that size, 8.0.
    """
    line = _gaussian(radius + 1 - radius % 2)
    residual = images - filter_separable(images, line, line)
    mask = residual.detach().abs().gt_(threshold / 255)  # 0 or 1
    soft = filter_separable(mask, line, line)
    sharp = torch.add(images, residual, alpha=weight).clamp_(0, 1)
    return torch.lerp(images, sharp, soft)


class Sharpen(Stage):
    """Unsharp masking; camera software does it, and Real-ESRGAN sharpens before it damages. Draws no parameter."""

    def __init__(
        self, *, weight: float = 0.5, radius: int = 50, threshold: float = 10.0, probability: float = 1.0
    ) -> None:
        super().__init__(probability=probability)
        if radius < 2:
            raise UserError(f"radius must be 2 or more pixels, got {radius}")
        if weight < 0 or threshold < 0:
            raise UserError(f"weight and threshold must be 0 or more, got {weight} and {threshold}")
        self.weight, self.radius, self.threshold = weight, radius, threshold

    def draw(self, count: int, rng: torch.Generator) -> Draws:
        return {}

    def damage(self, images: Tensor, draws: Draws) -> Tensor:
        return usm_sharpen(images, weight=self.weight, radius=self.radius, threshold=self.threshold)

    def alter(self, image: np.ndarray, rng: np.random.Generator, final: Size) -> np.ndarray:
        line = _gaussian(self.radius + 1 - self.radius % 2).numpy()
        residual = image - with_channels(cv2.sepFilter2D(image, -1, line, line))
        mask = (np.abs(residual) > self.threshold / 255).astype(np.float32)
        if not mask.any():
            return image
        soft = with_channels(cv2.sepFilter2D(mask, -1, line, line))
        sharp = np.clip(image + self.weight * residual, 0, 1)
        sharp -= image
        sharp *= soft
        sharp += image
        return sharp

    def extra_repr(self) -> str:
        return f"weight={self.weight}, radius={self.radius}, threshold={self.threshold}"


@cache
def _gaussian(size: int) -> Tensor:
    """The Gaussian (size,) that OpenCV takes where no sigma is given."""
    sigma = 0.3 * ((size - 1) * 0.5 - 1) + 0.8
    line = torch.exp(-0.5 * ((torch.arange(size, dtype=torch.float64) - size // 2) / sigma) ** 2)
    return line / line.sum()
