"""Losses of one value, which has no target: total variation of images, and the divergence of a code."""

from __future__ import annotations

from torch import Tensor

from toolbox import Loss, UserError


class TotalVariationLoss(Loss):
    """How much neighbouring pixels differ: differences to the right and below, to a power, over the number of values.

    The regulariser of Johnson et al. 2016, section 3.2, after Mahendran and Vedaldi 2015 (`power: 2`, as in the
    authors' code; 1 is the anisotropic total variation, which keeps edges). Their sum over pixels in [0, 255] is
    C*H*W * 255^2 times this mean in [0, 1].
    """

    def __init__(self, *, power: int = 2) -> None:
        super().__init__()
        if power not in (1, 2):
            raise UserError(f"power must be 1 or 2, got {power}")
        self.power = power

    def forward(self, images: Tensor) -> Tensor:
        """Of images (B, C, H, W) in [0, 1]; a float32 scalar, 0 for plain ones."""
        steps = images.diff(dim=3), images.diff(dim=2)
        return sum((each.abs() if self.power == 1 else each.square()).sum() for each in steps) / images.numel()  # pyright: ignore[reportReturnType]

    def extra_repr(self) -> str:
        """As in the config."""
        return f"power={self.power}"


class KLLoss(Loss):
    """The mean square of a code's means: what keeps UNIT's latent space near the standard normal.

    Liu et al. 2017, as in its code: the posterior is N(mu, 1), so its divergence from N(0, 1) is mu^2 / 2 for each
    number of the code; the code leaves the half out and averages. Published weight 0.01, for the cycle too.
    """

    def forward(self, code: Tensor) -> Tensor:
        """Of a code of any shape, before noise is added; a float32 scalar."""
        return code.square().mean()
