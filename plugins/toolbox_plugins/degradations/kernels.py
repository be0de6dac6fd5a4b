"""Blur kernels, a batch at a time: parameters (B,) in, kernels (B, width, width) of sum 1 out.

Formulas of Real-ESRGAN (Wang et al. 2021, section 3.1 and the appendix). With the covariance
S = R(theta) diag(sigma_x^2, sigma_y^2) R(theta)^T and q = x^T S^-1 x, a Gaussian is exp(-q/2), a generalised Gaussian
exp(-q^beta / 2), a plateau 1 / (1 + q^beta). `sizes` (B,) are the odd side lengths beyond which a kernel is 0.
"""

from __future__ import annotations

import torch
from torch import Tensor

SMALLEST_SIGMA = 0.01
"""Smaller spreads are a delta at any precision; 0 would divide by it."""


def gaussian_kernels(sigma_x: Tensor, sigma_y: Tensor, theta: Tensor, *, sizes: Tensor, width: int) -> Tensor:
    """Gaussians; isotropic where sigma_x = sigma_y. theta is in radians."""
    return _normalised(torch.exp(-0.5 * _quadratic(sigma_x, sigma_y, theta, width)), sizes)


def generalized_gaussian_kernels(
    sigma_x: Tensor, sigma_y: Tensor, theta: Tensor, beta: Tensor, *, sizes: Tensor, width: int
) -> Tensor:
    """Generalised Gaussians: peaked for beta < 1, flat-topped for beta > 1, the Gaussian for 1."""
    q = _quadratic(sigma_x, sigma_y, theta, width)
    return _normalised(torch.exp(-0.5 * q ** beta[:, None, None]), sizes)


def plateau_kernels(
    sigma_x: Tensor, sigma_y: Tensor, theta: Tensor, beta: Tensor, *, sizes: Tensor, width: int
) -> Tensor:
    """Plateaus: flat in the middle, with heavy tails."""
    q = _quadratic(sigma_x, sigma_y, theta, width)
    return _normalised(1 / (1 + q ** beta[:, None, None]), sizes)


def sinc_kernels(cutoff: Tensor, *, sizes: Tensor, width: int) -> Tensor:
    """The ideal circular low pass, w J1(w r) / (2 pi r) for a cut-off w in radians per pixel; it rings."""
    cutoff = cutoff.double()[:, None, None]
    y, x = _grid(width, cutoff.device)
    radius = (x * x + y * y).sqrt()
    safe = radius.clamp(min=0.5)  # the centre has a limit of its own
    kernels = cutoff * torch.special.bessel_j1(cutoff * safe) / (2 * torch.pi * safe)
    return _normalised(torch.where(radius > 0, kernels, cutoff**2 / (4 * torch.pi)), sizes)


def disk_kernels(radius: Tensor, *, width: int) -> Tensor:
    """A lens out of focus: disks of a radius in pixels, with an edge one pixel soft."""
    y, x = _grid(width, radius.device)
    distance = (x * x + y * y).sqrt()
    kernels = (radius.double()[:, None, None] + 0.5 - distance).clamp(0, 1)
    return _normalised(kernels, torch.full_like(radius, width))


def motion_kernels(length: Tensor, theta: Tensor, *, width: int) -> Tensor:
    """A camera in uniform motion: straight lines of a length in pixels at the angle theta, one pixel wide and soft."""
    y, x = _grid(width, length.device)
    cosine, sine = theta.double().cos()[:, None, None], theta.double().sin()[:, None, None]
    along, across = (x * cosine + y * sine).abs(), (y * cosine - x * sine).abs()
    kernels = (length.double()[:, None, None] / 2 + 0.5 - along).clamp(0, 1) * (1 - across).clamp(min=0)
    return _normalised(kernels, torch.full_like(length, width))


def _grid(width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Coordinates from the centre, each (width, width): y down, x to the right."""
    line = torch.arange(width, device=device, dtype=torch.float64) - width // 2
    return line[:, None].expand(width, width), line[None, :].expand(width, width)


def _quadratic(sigma_x: Tensor, sigma_y: Tensor, theta: Tensor, width: int) -> Tensor:
    """q = x^T S^-1 x (B, width, width): the squared distances along the ellipse's axes."""
    sigma_x, sigma_y = (s.double().clamp(min=SMALLEST_SIGMA)[:, None, None] for s in (sigma_x, sigma_y))
    cosine, sine = theta.double().cos()[:, None, None], theta.double().sin()[:, None, None]
    y, x = _grid(width, theta.device)
    return ((x * cosine + y * sine) / sigma_x) ** 2 + ((y * cosine - x * sine) / sigma_y) ** 2


def _normalised(kernels: Tensor, sizes: Tensor) -> Tensor:
    """Cut kernels (B, width, width) to their sizes and bring their sums to 1, in float32."""
    y, x = _grid(kernels.shape[-1], kernels.device)
    inside = torch.maximum(x.abs(), y.abs()) <= (sizes[:, None, None] // 2)
    kernels = kernels * inside / (kernels * inside).sum((-2, -1), keepdim=True)
    # Below float's precision beside the rest: 0, because subnormal numbers make products a hundred times slower.
    kernels = torch.where(kernels.abs() > 1e-9, kernels, 0.0)
    return (kernels / kernels.sum((-2, -1), keepdim=True)).float()
