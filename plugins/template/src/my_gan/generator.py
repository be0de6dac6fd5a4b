"""A small upscaler: what bicubic enlargement cannot know is learned and added to it."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, pad

from toolbox import Generator


class SmoothShuffleUpscaler(Generator):
    """Adds learned detail to the bicubic enlargement; untrained, it *is* the bicubic enlargement.

    The detail is enlarged by a sub-pixel convolution (Shi et al. 2016) and a box blur of `scale` pixels, which keeps
    the checkerboard pattern of sub-pixel convolutions away (Sugawara et al. 2018).
    """

    def __init__(self, *, channels: int = 3, width: int = 32, depth: int = 4, scale: int = 2) -> None:
        super().__init__()
        if scale not in (1, 2, 3, 4):
            raise ValueError(f"scale must be 1, 2, 3 or 4, got {scale}")
        if width < 1 or depth < 1:
            raise ValueError(f"width and depth must be at least 1, got {width} and {depth}")
        self.scale = scale
        layers: list[nn.Module] = [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
        for _ in range(depth - 1):
            layers += [nn.Conv2d(width, width, 3, padding=1), nn.ReLU()]
        self.features = nn.Sequential(*layers)
        self.detail = nn.Conv2d(width, channels * scale**2, 3, padding=1)
        nn.init.zeros_(self.detail.weight)
        nn.init.zeros_(self.detail.bias)  # pyright: ignore[reportArgumentType]
        self.shuffle = nn.PixelShuffle(scale)

    def forward(self, images: Tensor) -> Tensor:
        """Enlarge images (B, C, H, W) in [0, 1] to (B, C, scale*H, scale*W), nominally in [0, 1]."""
        detail = self.detail(self.features(images * 2 - 1))  # (B, C * scale^2, H, W)
        detail = self.shuffle(detail)  # (B, C, scale*H, scale*W)
        before = self.scale - 1
        detail = avg_pool2d(pad(detail, (before, 0, before, 0), mode="replicate"), self.scale, stride=1)
        return interpolate(images, scale_factor=self.scale, mode="bicubic", align_corners=False) + detail
