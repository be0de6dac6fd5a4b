"""One image of a sample as an array (H, W, C), float32: filtering, kernels and levels for a loader's worker, by OpenCV.

The torch side of the same stages works on batches and has gradients; both have the same kernels to float rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from math import pi

import cv2
import numpy as np
import torch

from .filtering import filter_images
from .kernels import SMALLEST_SIGMA

Array = np.ndarray
NEGLIGIBLE = 4e-4
"""What separable parts may leave of a kernel, as a sum of absolute values: at most a tenth of an 8-bit level."""
MOST_PARTS = 3
"""More separable filters of 21 pixels cost as much as a filter by Fourier transforms."""


def filter_array(image: Array, kernel: Array) -> Array:
    """Correlate an image (H, W, C) with a kernel (k, k), k odd; borders mirror without the edge pixel.

    A kernel is a sum of products of two lines, its singular vectors: an isotropic Gaussian is one, many of
    Real-ESRGAN's are two or three to a fraction of a level. Fourier transforms filter with what needs more, and
    OpenCV, pixel by pixel, with what is small.
    """
    if len(kernel) > 9:
        columns, values, rows = np.linalg.svd(kernel.astype(np.float64))
        parts = 1
        while parts <= MOST_PARTS:
            left = kernel - (columns[:, :parts] * values[:parts]) @ rows[:parts]
            if np.abs(left).sum() < NEGLIGIBLE:
                break
            parts += 1
        if parts <= MOST_PARTS:
            filtered = [cv2.sepFilter2D(image, -1, rows[i], columns[:, i] * values[i]) for i in range(parts)]
            total = filtered[0]
            for part in filtered[1:]:
                total = cv2.add(total, part, dst=total)
            return with_channels(total)
        planes = torch.from_numpy(np.ascontiguousarray(np.moveaxis(image, -1, 0)))[None]
        filtered = filter_images(planes, torch.from_numpy(kernel)[None])[0]
        return np.ascontiguousarray(np.moveaxis(filtered.numpy(), 0, -1))
    return with_channels(cv2.filter2D(image, -1, kernel))


def gaussian_kernel(size: int, sigma_x: float, sigma_y: float, theta: float, law: Callable[[Array], Array]) -> Array:
    """A kernel (size, size) of sum 1: a law of q, the squared distance along the axes of an ellipse."""
    line = np.arange(size) - size // 2
    y, x = line[:, None], line[None]
    cosine, sine = np.cos(theta), np.sin(theta)
    sigma_x, sigma_y = max(sigma_x, SMALLEST_SIGMA), max(sigma_y, SMALLEST_SIGMA)
    return _normalised(law(((x * cosine + y * sine) / sigma_x) ** 2 + ((y * cosine - x * sine) / sigma_y) ** 2))


def sinc_kernel(size: int, cutoff: float) -> Array:
    """The circular low pass (size, size) of `kernels.sinc_kernels`, for a cut-off in radians per pixel."""
    line = np.arange(size) - size // 2
    radius = np.hypot(line[:, None], line)
    safe = np.maximum(radius, 0.5)  # the centre has a limit of its own
    bessel = torch.special.bessel_j1(torch.from_numpy(cutoff * safe)).numpy()
    return _normalised(np.where(radius > 0, cutoff * bessel / (2 * pi * safe), cutoff**2 / (4 * pi)))


def _normalised(kernel: Array) -> Array:
    kernel = kernel / kernel.sum()
    kernel[np.abs(kernel) <= 1e-9] = 0  # subnormal numbers make products a hundred times slower
    return (kernel / kernel.sum()).astype(np.float32)


def to_levels(image: Array) -> Array:
    """The nearest 8-bit levels of an image, uint8."""
    return with_channels(cv2.convertScaleAbs(np.maximum(image, 0), alpha=255))


def with_channels(image: Array) -> Array:
    """(H, W, C) again where OpenCV has dropped a single channel."""
    return image[..., None] if image.ndim == 2 else image


def pick_index(weights: list[float], rng: np.random.Generator) -> int:
    """An index into weights, each as often as its share of their sum."""
    edges = np.cumsum(weights)
    return min(int(np.searchsorted(edges, rng.random() * edges[-1], side="right")), len(weights) - 1)
