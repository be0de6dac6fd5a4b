"""How much edges vary from place to place: what an average of sharp images lacks."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from toolbox import Loss, UserError, constant
from toolbox_plugins.losses.luminance import luminance
from toolbox_plugins.losses.pixel import check_shapes

SOBEL = ((-1.0, 0.0, 1.0), (-2.0, 0.0, 2.0), (-1.0, 0.0, 1.0))


class GradientVarianceLoss(Loss):
    """The mean squared difference of two images' variances of gradients, of x and y summed.

    Abrahamyan et al., ICASSP 2022: Sobel gradients of the luminance, and their variance (with n² - 1) in patches of
    `patch` pixels side by side; what is left over at the right and at the bottom does not count. A blurred prediction
    has too little variance where the target has edges.

    Raises:
        UserError: a patch below 2; later, images of fewer than patch + 2 pixels.
    """

    def __init__(self, *, patch: int = 8) -> None:
        super().__init__()
        if patch < 2:
            raise UserError(f"patch must be at least 2 pixels, got {patch}")
        self.patch = patch

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Compare images (B, 1 or 3, H, W) in [0, 1]; a float32 scalar."""
        check_shapes(prediction, target)
        height, width = prediction.shape[-2:]
        if min(height, width) < self.patch + 2:
            raise UserError(
                f"patch: {self.patch} wants images of {self.patch + 2} pixels at least, got {width}x{height}"
            )
        difference = self.variances(prediction) - self.variances(target)
        return difference.square().mean((0, 2)).sum()

    def variances(self, images: Tensor) -> Tensor:
        """Of x and y in each patch of images (B, C, H, W): (B, 2, patches)."""
        light = luminance(images.float())
        kernel = constant(SOBEL, light)
        gradients = F.conv2d(light, torch.stack([kernel, kernel.T])[:, None])  # (B, 2, H - 2, W - 2)
        patches = F.unfold(gradients, self.patch, stride=self.patch).unflatten(1, (2, -1))  # (B, 2, n², patches)
        return patches.var(2)

    def extra_repr(self) -> str:
        """As in the config."""
        return f"patch={self.patch}"
