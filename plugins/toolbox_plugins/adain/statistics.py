"""Adaptive instance normalisation."""

from __future__ import annotations

from torch import Tensor

EPSILON = 1e-5
"""Added to variances, as in instance normalisation: a flat channel has none."""


def adapt(content: Tensor, style: Tensor) -> Tensor:
    """Give a code (B, c, h, w) each channel's mean and deviation in the style's code (B or 1, c, h', w').

    Huang and Belongie 2017, eq. 8, with the deviations of the unbiased variance, as in the authors' code.
    """
    mean, deviation = statistics(content)
    wanted_mean, wanted_deviation = statistics(style)
    return (content - mean) / deviation * wanted_deviation + wanted_mean


def statistics(code: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and deviation over positions of (B, c, h, w), each (B, c, 1, 1)."""
    flat = code.flatten(2)
    variance = flat.var(2) if flat.shape[2] > 1 else flat.new_zeros(flat.shape[:2])
    return flat.mean(2)[..., None, None], (variance + EPSILON).sqrt()[..., None, None]
