"""The multi-scale discriminator of UNIT and MUNIT (Wang et al. 2018; Huang et al. 2018, appendix B.1)."""

from __future__ import annotations

from torch import Tensor, nn

from toolbox import Discriminator, UserError

from .layers import ConvBlock, check_sizes, initialize


class MultiScaleDiscriminator(Discriminator):
    """Images (B, C, H, W) in [0, 1] to one tensor of logits (B, 1, h, w) for each of `scales`, the full size first.

    The same network with weights of its own judges the image, the image at half its size, and so on. Each is d64, d128,
    d256, d512 (4x4, stride 2, reflection padding, LeakyReLU 0.2) and a 1x1 convolution to one channel. Between scales
    stands an average pooling of 3x3 and stride 2. 8.271 M parameters by default. Works on [-1, 1] and converts. State
    keys are the official ones: `cnns.{0-2}.{0-3}.conv`, `cnns.{0-2}.4`.

    Args:
        norm: none (UNIT), instance, batch or layer (over a whole sample), in all but the first convolution.

    At the smallest scale an image must have 2^`layers` pixels at least: by default, images of 64 pixels.
    """

    def __init__(
        self, *, in_channels: int = 3, width: int = 64, scales: int = 3, layers: int = 4, norm: str = "none"
    ) -> None:
        super().__init__()
        check_sizes(in_channels=in_channels, width=width, scales=scales, layers=layers)
        self.smallest = 2 ** (layers + scales - 1)
        self.cnns = nn.ModuleList(_scale(in_channels, width, layers, norm) for _ in range(scales))
        self.halve = nn.AvgPool2d(3, stride=2, padding=1, count_include_pad=False)
        initialize(self, "normal")

    def forward(self, images: Tensor) -> list[Tensor]:
        """Judge images (B, C, H, W) in [0, 1]: logits (B, 1, H / 16, W / 16), (B, 1, H / 32, W / 32), ...

        Raises:
            UserError: the images are too small for the smallest scale.
        """
        if min(images.shape[-2:]) < self.smallest:
            height, width = images.shape[-2:]
            raise UserError(
                f"MultiScaleDiscriminator wants images of {self.smallest} pixels at least, got {width}x{height}; "
                "train on larger crops, or give it fewer scales or layers"
            )
        images, logits = images * 2 - 1, []
        for cnn in self.cnns:
            logits.append(cnn(images))
            images = self.halve(images)
        return logits


def _scale(in_channels: int, width: int, layers: int, norm: str) -> nn.Sequential:
    blocks: list[nn.Module] = []
    channels = in_channels
    for layer in range(layers):
        wider = width * 2**layer
        each = "none" if layer == 0 else norm
        activation = nn.LeakyReLU(0.2)
        blocks += [ConvBlock(channels, wider, 4, stride=2, padding=1, norm=each, activation=activation)]
        channels = wider
    return nn.Sequential(*blocks, nn.Conv2d(channels, 1, 1))
