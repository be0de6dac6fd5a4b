"""A history of generated images (Shrivastava et al., 2017), so that a discriminator does not only see the latest."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from toolbox.io.errors import UserError


class ImagePool(nn.Module):
    """Keeps up to `size` images; once full, each image that comes is swapped for an old one half of the time.

    It draws from torch's global CPU generator and its contents are part of the state dict.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        if size < 0:
            raise ValueError(f"pool must be 0 (none) or more images, got {size}")
        self.size = size
        self.images: list[Tensor] = []

    def forward(self, images: Tensor) -> Tensor:
        """Exchange images (B, C, H, W), one by one; returns as many, in their memory format. Size 0 returns them as is.

        Images of another size than the pooled ones (the crop was changed) start the history afresh.
        """
        if self.size == 0:
            return images
        images = images.detach()
        if self.images and self.images[0].shape != images.shape[1:]:
            self.images = []
        exchanged = images.clone()
        for number, image in enumerate(images):
            if len(self.images) < self.size:
                self.images.append(image.clone())
            elif torch.rand(()) < 0.5:
                place = int(torch.randint(self.size, ()))  # a CPU number: nothing waits for the device
                exchanged[number] = self.images[place]
                self.images[place] = image.clone()
        return exchanged

    def clear(self) -> None:
        """Forget every image."""
        self.images = []

    def get_extra_state(self) -> dict[str, Any]:
        """The pooled images, for checkpoints."""
        return {"images": [image.cpu() for image in self.images]}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Restore the pooled images; each comes to the device of the fakes when it is drawn.

        Raises:
            UserError: they are no images.
        """
        if not all(isinstance(image, Tensor) and image.dim() >= 3 for image in state["images"]):
            raise UserError("a pool of images holds something else")
        self.images = list(state["images"])

    def _apply(self, fn: Any, recurse: bool = True) -> ImagePool:
        self.images = [fn(image) for image in self.images]
        return super()._apply(fn, recurse)
