"""A small discriminator that judges patches at two sizes."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from toolbox import Discriminator


class TwoScalePatchDiscriminator(Discriminator):
    """One network looks at the images and at their halves: fine texture first, then larger structures.

    The patches are PatchGAN's (Isola et al. 2017). Without normalisation, so that it suits every GAN variant:
    gradient penalties forbid batch norm.
    """

    def __init__(self, *, channels: int = 3, width: int = 32, layers: int = 2) -> None:
        super().__init__()
        if width < 1 or layers < 1:
            raise ValueError(f"width and layers must be at least 1, got {width} and {layers}")
        body: list[nn.Module] = []
        for i in range(layers):
            before, after = channels if i == 0 else width * 2 ** (i - 1), width * 2**i
            body += [nn.Conv2d(before, after, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
        self.body = nn.Sequential(*body, nn.Conv2d(width * 2 ** (layers - 1), 1, 3, padding=1))

    def forward(self, images: Tensor) -> list[Tensor]:
        """Judge images (B, C, H, W) in [0, 1]: logits (B, 1, H / 2^layers, W / 2^layers), and half of that size."""
        images = images * 2 - 1
        return [self.body(images), self.body(avg_pool2d(images, 2))]
