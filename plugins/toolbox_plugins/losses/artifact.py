"""LDL's loss (Liang et al., 2022): pixels count where a GAN makes artefacts, and not where it makes details."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from toolbox import Loss, UserError

from .pixel import check_shapes


class ArtifactLoss(Loss):
    """The mean of |M (prediction - target)|, where the map M is high on artefacts.

    "Details or Artifacts", equations 3 to 8. R is the absolute residual, summed over channels. M is the variance of R
    in each `window`, times the fifth root of the variance of R over the whole image; and 0 where R is below the
    residual of the generator's average, whose output changes little and is steadier. Published with weight 1 beside
    an L1 of 0.01, a perceptual 1 and an adversarial 0.005. The algorithm must provide the average's output
    (ESRGAN does), and `model.ema` the average.

    M is a constant here. In the authors' code the gradient also passes through it, where it rewards an even residual
    as well as a small one, and is infinite for a flat one.
    """

    def __init__(self, *, window: int = 7) -> None:
        super().__init__()
        if window < 3 or window % 2 == 0:
            raise UserError(f"window must be odd and at least 3, got {window}")
        self.window = window

    def forward(self, prediction: Tensor, target: Tensor, average: Tensor) -> Tensor:
        """Compare images (B, C, H, W) in [0, 1], with the average's output; a float32 scalar."""
        check_shapes(prediction, target)
        check_shapes(average, target)
        prediction, target = prediction.float(), target.float()
        with torch.no_grad():
            weights = self.artifact_map(prediction, target, average.float())
        return ((prediction - target) * weights).abs().mean()

    def artifact_map(self, prediction: Tensor, target: Tensor, average: Tensor) -> Tensor:
        """How much each pixel of images (B, C, H, W) looks like an artefact: (B, 1, H, W), at least 0."""
        if min(target.shape[-2:]) <= self.window // 2:
            height, width = target.shape[-2:]
            raise UserError(f"images of {width}x{height} are too small for a window of {self.window}")
        residual = (target - prediction).abs().sum(1, keepdim=True)  # (B, 1, H, W)
        steady = (target - average).abs().sum(1, keepdim=True)
        overall = residual.var((1, 2, 3), keepdim=True) ** (1 / 5)  # (B, 1, 1, 1)
        return overall * self.local_variance(residual) * (residual >= steady)

    def local_variance(self, values: Tensor) -> Tensor:
        """The unbiased variance of (B, 1, H, W) in the window around each pixel, reflected at the edges."""
        count = self.window**2
        centred = values - values.mean((2, 3), keepdim=True)  # else the difference of two squares loses digits
        padded = F.pad(centred, [self.window // 2] * 4, mode="reflect")
        mean = F.avg_pool2d(padded, self.window, stride=1)
        square = F.avg_pool2d(padded.square(), self.window, stride=1)
        return (square - mean.square()).clamp_min(0) * (count / (count - 1))

    def extra_repr(self) -> str:
        """As in the config."""
        return f"window={self.window}"
