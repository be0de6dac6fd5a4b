"""Filtering a batch, each image with a kernel of its own, with borders mirrored as OpenCV does by default."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

BLOCK = 32
"""Rows or columns of the result that one product with the banded matrix gives."""


def filter_images(images: Tensor, kernels: Tensor) -> Tensor:
    """Correlate images (B, C, H, W) with kernels (B, k, k) or (1, k, k), k odd; borders mirror without the edge pixel.

    By Fourier transforms, which are exact to float rounding: on a CPU half as dear as a grouped convolution for the
    21 x 21 kernels of Real-ESRGAN, and a quarter of cv2.filter2D. There a single kernel that is a product of two
    lines, as isotropic Gaussians are, costs half of that again. Differentiable in images and kernels.
    """
    if len(kernels) == 1 and kernels.device.type == "cpu":
        lines = separated(kernels[0])
        if lines:
            return filter_separable(images, *lines)
    height, width = images.shape[-2:]
    radius = kernels.shape[-1] // 2
    size = (fast_length(height + 2 * radius), fast_length(width + 2 * radius))
    # Mirrored beyond what the kernel reaches, up to a fast length: what wraps around lies behind the part that is kept.
    padded = pad_mirrored(images if images.dtype == torch.float64 else images.float(), radius, size)
    spectrum = torch.fft.rfft2(kernels.to(padded), s=size).conj()[:, None]
    filtered = torch.fft.irfft2(torch.fft.rfft2(padded) * spectrum, s=size)
    return filtered[..., :height, :width].to(images.dtype)


def separated(kernel: Tensor) -> tuple[Tensor, Tensor] | None:
    """The two lines (k,) whose product a kernel (k, k) is to float rounding; None if there are none, or gradients."""
    middle = len(kernel) // 2
    if kernel.requires_grad or kernel[middle, middle] < 1e-3:
        return None
    column, row = kernel[:, middle], kernel[middle] / kernel[middle, middle]
    return (column, row) if bool(((column[:, None] * row - kernel).abs() < 1e-8).all()) else None


def filter_separable(images: Tensor, column: Tensor, row: Tensor) -> Tensor:
    """Correlate images (B, C, H, W) with column x row^T, lines (k,) with k odd; mirrored borders.

    As products with banded matrices, block by block: for wide kernels on a CPU faster than Fourier transforms.
    """
    height, width = images.shape[-2:]
    reach = len(row) - 1
    padded = pad_mirrored(images, reach // 2, (height + reach, width + reach))
    band = _band(column.to(images))
    rows = [
        band[: min(BLOCK, height - top), : min(BLOCK, height - top) + reach] @ padded[..., top : top + BLOCK + reach, :]
        for top in range(0, height, BLOCK)
    ]
    half = torch.cat(rows, -2)  # (B, C, H, W + reach)
    band = _band(row.to(images))
    columns = [
        half[..., left : left + BLOCK + reach] @ band[: min(BLOCK, width - left), : min(BLOCK, width - left) + reach].T
        for left in range(0, width, BLOCK)
    ]
    return torch.cat(columns, -1)


def _band(line: Tensor) -> Tensor:
    """The matrix (BLOCK, BLOCK + k - 1) whose row i holds the line (k,) from column i on."""
    band = line.new_zeros(BLOCK, BLOCK + len(line) - 1)
    band.as_strided((BLOCK, len(line)), (band.shape[1] + 1, 1)).copy_(line)
    return band


def pad_mirrored(images: Tensor, before: int, size: tuple[int, int]) -> Tensor:
    """Mirror images (B, C, H, W) outwards without repeating the edge pixel, `before` pixels and then up to `size`."""
    bottom, right = (size[i] - images.shape[i - 2] - before for i in range(2))
    if min(images.shape[-2:]) > max(before, bottom, right):
        return F.pad(images, (before, right, before, bottom), mode="reflect")
    for dim, after in ((-2, bottom), (-1, right)):  # smaller than that: mirrored back and forth
        length = images.shape[dim]
        period = max(2 * length - 2, 1)  # 0 1 2 1 | 0 1 2 1
        index = torch.arange(-before, length + after, device=images.device) % period
        images = images.index_select(dim, torch.minimum(index, period - index))
    return images


@cache
def fast_length(length: int) -> int:
    """The next even length without prime factors above 5, for which Fourier transforms are fast."""
    while True:
        rest = length
        for factor in (2, 3, 5):
            while rest % factor == 0:
                rest //= factor
        if rest == 1 and length % 2 == 0:
            return length
        length += 1
