"""Networks that take windows of a film: frames on each other as channels, so that tiles go as for pictures."""

from __future__ import annotations

from torch import Tensor, nn


class Stacked(nn.Module):
    """A network of (N, frames, C, H, W) as one of (N, frames * C, H, W); the result is that of the middle frame."""

    keeps_colors = True

    def __init__(self, network: nn.Module, frames: int, channels: int = 3) -> None:
        super().__init__()
        self.network, self.frames, self.channels = network, frames, channels
        self.scale, self.multiple = int(getattr(network, "scale", 1)), int(getattr(network, "multiple", 1))
        self.image_channels = frames * channels

    def forward(self, images: Tensor) -> Tensor:
        """Images (N, frames * C, H, W) to (N, C, scale*H, scale*W)."""
        return self.network(images.unflatten(1, (self.frames, self.channels)))
