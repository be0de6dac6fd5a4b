"""A loss of light and shade alone: colours are free, and so is, behind a low-pass filter, all texture."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from toolbox import Loss, UserError, constant

from .pixel import check_shapes

REC601 = (0.299, 0.587, 0.114)


class LowPassLuminanceLoss(Loss):
    """The mean absolute difference of two images' luminance (Rec. 601), each the mean over a window around the pixel.

    The window has 2 * `radius` + 1 pixels a side, cut at the border. Unpaired translators may invert light and dark
    without any other loss noticing; a weight of 1 on (output, input) early in training forbids that, and costs
    strokes smaller than the window nothing. With `radius: 0` the luminance itself is kept: style transfer of colours
    only (Gatys et al. 2016b, "Preserving Color in Neural Artistic Style Transfer", keep luminance or colour apart
    likewise). An output of a whole multiple of the input's size is averaged down to it.
    """

    def __init__(self, *, radius: int = 8) -> None:
        super().__init__()
        if radius < 0:
            raise UserError(f"radius must be 0 or more pixels, got {radius}")
        self.radius = radius

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Compare images (B, 1 or 3, H, W) in [0, 1]; a float32 scalar."""
        lights = luminance(prediction), luminance(target)
        height, width = lights[1].shape[-2:]
        factor = max(lights[0].shape[-2] // height, 1)
        if factor > 1 and lights[0].shape[-2:] == (height * factor, width * factor):
            lights = F.avg_pool2d(lights[0], factor), lights[1]
        check_shapes(*lights)
        difference = lights[0] - lights[1]  # filtering is linear: once is enough
        if self.radius:
            window, edge = 2 * self.radius + 1, self.radius
            difference = F.avg_pool2d(difference, window, 1, padding=edge, count_include_pad=False)
        return difference.abs().mean()

    def extra_repr(self) -> str:
        """As in the config."""
        return f"radius={self.radius}"


def luminance(images: Tensor) -> Tensor:
    """Rec. 601 luminance of images (B, 3, H, W), or gray images (B, 1, H, W) as they are: (B, 1, H, W)."""
    if images.shape[1] == 1:
        return images
    if images.shape[1] != 3:
        raise UserError(f"luminance is that of images with 1 or 3 channels, got {images.shape[1]}")
    return (images * constant(REC601, images).view(1, 3, 1, 1)).sum(1, keepdim=True)
