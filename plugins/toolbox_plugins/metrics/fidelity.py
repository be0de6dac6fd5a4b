"""What PSNR and SSIM share: the colour space, the cut border and the rounding that a protocol must state."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from toolbox import PairedMetric, UserError

Y601 = (65.481 / 255, 128.553 / 255, 24.966 / 255)
"""Weights of MATLAB's rgb2ycbcr; the offset 16 comes on top, so that Y spans [16, 235]."""


class FidelityMetric(PairedMetric):
    """Base of PSNR and SSIM: brings both images to float64 on the 8-bit scale before they are compared.

    The super-resolution papers' setting is channel "Y" and `crop` equal to the scale. Y keeps its fraction, as in
    BasicSR; rounding it (MATLAB on uint8) costs 0.003 to 0.015 dB. JPEG's full-range Y gives 1.32 dB less.
    """

    smallest: int = 1
    """Height and width that must be left after the crop."""

    def __init__(
        self,
        *,
        prediction: str,
        reference: str,
        channel: Literal["Y", "RGB"] = "Y",
        crop: int = 0,
        quantize: bool = True,
        baseline: bool = True,
    ) -> None:
        """`crop` pixels are cut from every side; `quantize` rounds both images to 8 bits, as saving them would."""
        super().__init__(prediction=prediction, reference=reference, baseline=baseline)
        if channel not in ("Y", "RGB"):
            raise UserError(f"channel must be Y or RGB, got {channel!r}")
        if crop < 0:
            raise UserError(f"crop must be 0 or more, got {crop}")
        self.channel, self.crop, self.quantize = channel, crop, quantize

    @property
    def setting(self) -> str:
        """The protocol's part that all fidelity metrics share: `Y601,crop4,uint8`."""
        colour = "Y601" if self.channel == "Y" else self.channel
        return f"{colour},crop{self.crop},{'uint8' if self.quantize else 'float'}"

    def prepare(self, prediction: Tensor, reference: Tensor) -> tuple[Tensor, Tensor]:
        """Bring two images (C, H, W) in [0, 1] to float64 (1, C', H', W') on the scale of 0 to 255, ready to compare.

        Raises ValueError where the sizes differ, the crop leaves too little, or Y is wanted of other than 3 channels.
        """
        name = type(self).__name__
        if prediction.shape != reference.shape:
            raise ValueError(
                f"{name}: {self.prediction} is {tuple(prediction.shape)} but {self.reference} is "
                f"{tuple(reference.shape)}; they must have one size (is the scale right?)"
            )
        if min(reference.shape[-2:]) - 2 * self.crop < self.smallest:
            raise ValueError(
                f"{name}: {self.reference} of {reference.shape[-2]}x{reference.shape[-1]} is too small: "
                f"after cropping {self.crop} from every side {self.smallest} pixels must be left"
            )
        if self.channel == "Y" and reference.shape[0] != 3:
            raise ValueError(f"{name}: Y needs 3 channels, {self.reference} has {reference.shape[0]}; use channel: RGB")
        return self._scaled(prediction), self._scaled(reference)

    def _scaled(self, image: Tensor) -> Tensor:
        image = image.double().clamp(0, 1) * 255
        image = image.round() if self.quantize else image
        image = image[:, self.crop : image.shape[1] - self.crop, self.crop : image.shape[2] - self.crop]
        if self.channel == "Y":
            image = 16 + torch.einsum("c,chw->hw", image.new_tensor(Y601), image)[None]
        return image[None]
