"""An upscaler with a memory: each frame sees what was found in the frames before it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from toolbox import Generator


class RecurrentUpscaler(Generator):
    """Doubles clips: a convolution over the frame and the memory of earlier ones, and a sub-pixel convolution.

    After FRVSR (Sajjadi et al. 2018), without its optical flow. Untrained, it is nearly the bilinear enlargement.
    """

    scale = 2

    def __init__(self, *, channels: int = 3, width: int = 32) -> None:
        super().__init__()
        if width < 1:
            raise ValueError(f"width must be at least 1, got {width}")
        self.channels, self.width = channels, width
        self.look = nn.Conv2d(channels + width, width, 3, padding=1)
        self.think = nn.Conv2d(width, width, 3, padding=1)
        self.detail = nn.Conv2d(width, channels * 4, 3, padding=1)
        nn.init.normal_(self.detail.weight, std=1e-3)
        nn.init.zeros_(self.detail.bias)  # pyright: ignore[reportArgumentType]
        self.shuffle = nn.PixelShuffle(2)

    def forward(self, clips: Tensor) -> Tensor:
        """Enlarge clips (B, T, C, H, W) in [0, 1] to (B, T, C, 2H, 2W), nominally in [0, 1]; T may be any length."""
        memory = clips.new_zeros(len(clips), self.width, *clips.shape[-2:])
        made = []
        for frame in clips.unbind(1):  # (B, C, H, W)
            memory = self.think(self.look(torch.cat([frame * 2 - 1, memory], 1)).relu()).tanh()  # (B, width, H, W)
            base = interpolate(frame, scale_factor=2.0, mode="bilinear", align_corners=False)
            made.append(base + self.shuffle(self.detail(memory)))
        return torch.stack(made, 1)

    def example_inputs(self) -> tuple[Tensor]:
        """Two clips of three frames: what `plugins check` calls it with."""
        return (torch.rand(2, 3, self.channels, 16, 24),)
