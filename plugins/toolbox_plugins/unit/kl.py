"""The KL term of an encoder whose Gaussian code has unit variance."""

from __future__ import annotations

from torch import Tensor, nn


class GaussianKL(nn.Module):
    """The mean of mu^2: how far codes N(mu, 1) are from N(0, 1), averaged over all their numbers.

    The divergence itself is mu^2 / 2 for each number (Liu et al. 2017, equation 2, at unit variance); their code leaves
    the half out, and so do its published weights of 0.01.
    """

    def forward(self, code: Tensor) -> Tensor:
        """Means of codes, (B, channels, h, w) or (B, channels), to a float32 scalar."""
        return code.float().square().mean()
