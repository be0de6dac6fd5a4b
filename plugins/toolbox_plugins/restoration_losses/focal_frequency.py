"""Differences of spectra, those frequencies weighed most that are worst."""

from __future__ import annotations

import torch
from torch import Tensor

from toolbox import Loss, UserError
from toolbox_plugins.losses.pixel import check_shapes


class FocalFrequencyLoss(Loss):
    """The mean, over frequencies, of the squared distance of two images' spectra, times a weight.

    Jiang et al., ICCV 2021, equations 8 to 10: the weight of a frequency is its distance to the power `alpha`, over the
    largest of its image and channel, and gets no gradient. Spectra are orthonormal, so that with `alpha: 0` it is the
    mean squared difference of pixels.

    Raises:
        UserError: a negative alpha.
    """

    def __init__(self, *, alpha: float = 1.0) -> None:
        super().__init__()
        if alpha < 0:
            raise UserError(f"alpha must be 0 or more, got {alpha}")
        self.alpha = alpha

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Compare images (B, C, H, W) in [0, 1]; a float32 scalar."""
        check_shapes(prediction, target)
        spectrum = torch.fft.fft2(prediction.float() - target.float(), norm="ortho")  # linear: one is enough
        distance = spectrum.real.square() + spectrum.imag.square()  # (B, C, H, W)
        with torch.no_grad():
            weight = distance.sqrt() ** self.alpha
            weight = weight / weight.amax((2, 3), keepdim=True).clamp(min=torch.finfo(weight.dtype).tiny)
        return (weight * distance).mean()

    def extra_repr(self) -> str:
        """As in the config."""
        return f"alpha={self.alpha}"
