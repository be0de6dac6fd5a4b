"""Flat areas within sharp edges, as in a painting: an edge-preserving filter for what a network has drawn."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate


def flatten(images: Tensor, deviation: float, *, scale: int) -> Tensor:
    """Smooth images (B, C, scale*h, scale*w) where they, made small, vary less than a deviation. In float32.

    A guided filter (He, Sun and Tang 2010) that is its own guide: a pixel x becomes a*x + (1 - a)*mean, where a =
    variance / (variance + deviation**2) of its surroundings, for each channel by itself. Mean and variance are
    those of three by three pixels of the image shrunk by `scale`: an edge that a small input cannot show is none,
    and a pattern as wide as a small pixel, a sub-pixel layer's screen door, is smoothed however strong it is.
    """
    images = images.float().contiguous()  # pooling of three channels-last channels is slow
    small = avg_pool2d(images, scale)
    mean = smooth(small)
    variance = (smooth(small * small) - mean * mean).clamp(min=0)
    kept = variance / (variance + deviation**2)
    slope, offset = (
        interpolate(smooth(each), scale_factor=scale, mode="bilinear", align_corners=False)
        for each in (kept, mean * (1 - kept))
    )
    return slope * images + offset


def smooth(images: Tensor) -> Tensor:
    """Means of three by three pixels (B, C, H, W); of what there is, at the borders."""
    return avg_pool2d(images, 3, stride=1, padding=1, count_include_pad=False)
