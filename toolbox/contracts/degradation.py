"""The contract of a degradation: clean images in, damaged or smaller images out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from toolbox.io.resize import not_multiples


class Degradation(nn.Module, ABC):
    """Damages images, with every random parameter drawn per sample; the data loader's workers call it.

    `scale` is input size over output size (4 for x4 super-resolution data, 1 for restoration).
    """

    scale: int = 1
    on_device: ClassVar[bool] = False
    """True for one that must see whole batches on the device, such as one that is a network: then `forward` is called
    in the training step, and the host waits there for whatever it reads."""
    crop: int | None = None
    """The side in pixels to which a training sample is cut after it was degraded; `model.degradation.crop` sets it."""

    @abstractmethod
    def forward(self, images: Tensor, rng: torch.Generator) -> Tensor:
        """Damage images (B, C, H, W) in [0, 1] to (B, C, H/scale, W/scale) in [0, 1].

        Randomness comes from `rng` alone (it lives on the CPU): the same state gives the same output. Where the
        operation is differentiable, so is this.
        """

    def degrade(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Damage one image (..., H, W, C), float32 in [0, 1], to (..., H/scale, W/scale, C), the same type and range.

        The loader calls it, in a process that has one thread. This one calls `forward` with a batch of one; a faster
        way of the same distribution may replace it. `rng` is the sample's own, and nothing else may be random.
        """
        images = torch.from_numpy(np.ascontiguousarray(np.moveaxis(image, -1, -3)))[None]
        with torch.no_grad():
            damaged = self(images, torch.Generator().manual_seed(int(rng.integers(2**62))))[0]
        return np.moveaxis(damaged.numpy(), -3, -1)

    def check_size(self, height: int, width: int) -> None:
        """Raise ValueError for images (H, W) that it cannot take: by default those that `scale` does not divide."""
        if height % self.scale or width % self.scale:
            raise ValueError(not_multiples(height, width, self.scale))
