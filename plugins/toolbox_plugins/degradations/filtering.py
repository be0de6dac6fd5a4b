"""Filtering a batch, each image with a kernel of its own, with borders mirrored as OpenCV does by default."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

BLOCK = 64
"""Rows or columns of the result that one product with the banded matrix gives."""


def filter_images(images: Tensor, kernels: Tensor) -> Tensor:
    """Correlate images (B, C, H, W) with kernels (B, k, k) or (1, k, k), k odd; borders mirror without the edge pixel.

    By Fourier transforms, which are exact to float rounding: on a CPU half as dear as a grouped convolution for the
    21 x 21 kernels of Real-ESRGAN, and a third of cv2.filter2D. Differentiable in both.
    """
    height, width = images.shape[-2:]
    radius = kernels.shape[-1] // 2
    size = (fast_length(height + 2 * radius), fast_length(width + 2 * radius))
    # Mirrored beyond what the kernel reaches, up to a fast length: what wraps around lies behind the part that is kept.
    padded = pad_mirrored(images if images.dtype == torch.float64 else images.float(), radius, size)
    spectrum = torch.fft.rfft2(kernels.to(padded), s=size).conj()[:, None]
    filtered = torch.fft.irfft2(torch.fft.rfft2(padded) * spectrum, s=size)
    return filtered[..., :height, :width].to(images.dtype)


def filter_separable(images: Tensor, line: Tensor) -> Tensor:
    """Correlate images (B, C, H, W) with the symmetric kernel line x line^T, line (k,) with k odd; mirrored borders.

    As products with a banded matrix, block by block: for wide kernels on a CPU twice as fast as Fourier transforms.
    """
    height, width = images.shape[-2:]
    reach = len(line) - 1
    line = line.to(images)
    band = images.new_zeros(BLOCK, BLOCK + reach)
    band.as_strided((BLOCK, len(line)), (BLOCK + reach + 1, 1)).copy_(line)  # row i: the line from column i on
    padded = pad_mirrored(images, reach // 2, (height + reach, width + reach))
    rows = [
        band[: min(BLOCK, height - top), : min(BLOCK, height - top) + reach] @ padded[..., top : top + BLOCK + reach, :]
        for top in range(0, height, BLOCK)
    ]
    half = torch.cat(rows, -2)  # (B, C, H, W + reach)
    columns = [
        half[..., left : left + BLOCK + reach] @ band[: min(BLOCK, width - left), : min(BLOCK, width - left) + reach].T
        for left in range(0, width, BLOCK)
    ]
    return torch.cat(columns, -1)


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
