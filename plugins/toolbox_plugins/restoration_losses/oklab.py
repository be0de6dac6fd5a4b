"""Colours as they are seen: differences in Oklab."""

from __future__ import annotations

import torch
from torch import Tensor

from toolbox import Loss, UserError, constant
from toolbox_plugins.losses.pixel import check_shapes

CONES = (
    (0.4122214708, 0.5363325363, 0.0514459929),
    (0.2119034982, 0.6806995451, 0.1073969566),
    (0.0883024619, 0.2817188376, 0.6299787005),
)
"""Ottosson 2020: from linear sRGB to the responses of the eye's cones."""
AXES = (
    (0.2104542553, 0.7936177850, -0.0040720468),
    (1.9779984951, -2.4285922050, 0.4505937099),
    (0.0259040371, 0.7827717662, -0.8086757660),
)
"""From their cube roots to lightness, green against red, blue against yellow."""
DARKEST = 1e-4
"""Below it the cube root goes on as its tangent, so that black has a gradient: 1/3 of a level of 8 bits."""


class OklabLoss(Loss):
    """The mean absolute difference of two images in Oklab (Ottosson 2020): lightness, and the two axes of colour.

    Equal distances look about equally large there, which in RGB they do not: dark tones and saturated blues count as
    they are seen. `lightness` and `color` weigh the axes; 0 leaves one out, as `lightness: 0` beside a loss of
    structure.

    Raises:
        UserError: a negative weight, or both 0.
    """

    def __init__(self, *, lightness: float = 1.0, color: float = 1.0) -> None:
        super().__init__()
        if min(lightness, color) < 0 or lightness + color == 0:
            raise UserError(f"lightness and color must be 0 or more and not both 0, got {lightness} and {color}")
        self.lightness, self.color = lightness, color

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Compare images (B, 3, H, W) in [0, 1]; a float32 scalar."""
        check_shapes(prediction, target)
        difference = (to_oklab(prediction) - to_oklab(target)).abs()
        return self.lightness * difference[:, 0].mean() + self.color * difference[:, 1:].mean()

    def extra_repr(self) -> str:
        """As in the config."""
        return f"lightness={self.lightness}, color={self.color}"


def to_oklab(images: Tensor) -> Tensor:
    """Images (B, 3, H, W), sRGB in [0, 1], to L in [0, 1], a and b of about [-0.4, 0.4]: (B, 3, H, W), float32."""
    if images.shape[1] != 3:
        raise UserError(f"Oklab is of images with 3 channels, got {images.shape[1]}")
    images = images.float()
    bright = ((images.clamp(min=0.04045) + 0.055) / 1.055) ** 2.4
    linear = torch.where(images > 0.04045, bright, images / 12.92)
    cones = torch.einsum("kc,bchw->bkhw", constant(CONES, images), linear)
    tangent = DARKEST ** (1 / 3) + (cones - DARKEST) / (3 * DARKEST ** (2 / 3))
    roots = torch.where(cones > DARKEST, cones.clamp(min=DARKEST) ** (1 / 3), tangent)
    return torch.einsum("kc,bchw->bkhw", constant(AXES, images), roots)
