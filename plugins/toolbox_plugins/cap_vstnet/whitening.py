"""Whitening and colouring by Cholesky factors (Wen et al., 2023): a code takes on another's mean and covariance.

Factors come column by column in plain arithmetic: no runtime that networks are exported to knows Cholesky's method, and
torch's own waits for the device.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

EPSILON = 2e-5
"""Added to variances: what hardly varies is not blown up, and a flat picture has a factor."""
Moments = tuple[Tensor, Tensor]
"""Mean (B, c, 1) of a code, and the factor (B, c, c) of its covariance, lower triangular; float64."""


def moments(code: Tensor) -> Moments:
    """Mean and factor over the places of codes (B, c, h, w)."""
    flat = code.flatten(2).double()
    mean = flat.mean(2, keepdim=True)
    centred = flat - mean
    covariance = centred @ centred.mT / (flat.shape[2] - 1)
    return mean, cholesky(covariance + EPSILON * torch.eye(code.shape[1], dtype=flat.dtype, device=flat.device))


def transfer(code: Tensor, own: Moments, wanted: Moments, strength: Tensor | None = None) -> Tensor:
    """Codes (B, c, h, w) of moments `own` with moments `wanted`, both of B or of 1.

    Args:
        strength: (B,) or (1,), how much of the wanted ones: factors and means are mixed. At 0 the code stays as it is.
    """
    (mean, factor), (wanted_mean, wanted_factor) = own, wanted
    if strength is not None:
        share = strength.double()[:, None, None]
        wanted_mean, wanted_factor = torch.lerp(mean, wanted_mean, share), torch.lerp(factor, wanted_factor, share)
    matrix = wanted_factor @ inverted(factor)  # (B, c, c)
    offset = wanted_mean - matrix @ mean
    flat = matrix.to(code.dtype) @ code.flatten(2) + offset.to(code.dtype)
    return flat.unflatten(2, code.shape[2:])


def cholesky(matrices: Tensor) -> Tensor:
    """The lower triangular factors L of positive definite matrices (B, n, n) = L L^T."""
    columns, rest = [], matrices
    for number in range(matrices.shape[1]):
        column = rest[:, :, :1] * rest[:, :1, :1].rsqrt()  # (B, n - number, 1)
        columns.append(pad(column, (0, 0, number, 0)))
        rest = (rest - column @ column.mT)[:, 1:, 1:]
    return torch.cat(columns, 2)


def inverted(factors: Tensor) -> Tensor:
    """The inverses of lower triangular matrices (B, n, n), row by row."""
    unit = torch.eye(factors.shape[1], dtype=factors.dtype, device=factors.device)
    rows = unit[None, :1] / factors[:, :1, :1]  # (B, 1, n)
    for number in range(1, factors.shape[1]):
        known = factors[:, number : number + 1, :number] @ rows
        row = (unit[number] - known) / factors[:, number : number + 1, number : number + 1]
        rows = torch.cat([rows, row], 1)
    return rows
