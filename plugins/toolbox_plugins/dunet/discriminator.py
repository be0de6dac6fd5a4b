"""A U-Net with spectral norm whose features are enlarged at learned places: what practitioners train SR GANs with."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from toolbox import Discriminator, UserError
from toolbox.weights.spectral_norm import normalize_spectrally

from .sampling import LearnedSampling

SMALLEST = 8
"""Height and width are halved three times."""


class DUnetDiscriminator(Discriminator):
    """Images (B, C, H, W) in [0, 1] to `[logits]`, one tensor (B, 1, H, W): a verdict on each pixel.

    DUnet (umzi, MIT; no paper), the default of traiNNer-redux: Real-ESRGAN's U-Net with convolutions of 3x3 and Mish,
    enlarged by DySample (Liu et al. 2023) in place of bilinear interpolation, features of the way down added. Spectral
    norm on all convolutions but the first, the last and those that say where to look. Height and width need not be
    even. 3,231,457 parameters by default. PyTorch's initialisation.
    """

    def __init__(self, *, in_channels: int = 3, width: int = 64) -> None:
        super().__init__()
        if in_channels < 1:
            raise UserError(f"in_channels must be at least 1, got {in_channels}")
        if width < 2 or width % 2:
            raise UserError(f"width must be even, got {width}")
        self.first = nn.Conv2d(in_channels, width, 3, padding=1)
        self.down = nn.ModuleList(normalized(nn.Conv2d(n * width, 2 * n * width, 3, 2, 1)) for n in (1, 2, 4))
        self.sample = nn.ModuleList(LearnedSampling(n * width) for n in (8, 4, 2))
        self.up = nn.ModuleList(normalized(nn.Conv2d(n * width, n * width // 2, 3, padding=1)) for n in (8, 4, 2))
        self.end = nn.ModuleList(normalized(nn.Conv2d(width, width, 3, padding=1, bias=False)) for _ in range(2))
        self.last = nn.Conv2d(width, 1, 3, padding=1)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Judge images (B, C, H, W) in [0, 1], 8x8 at least: `[logits (B, 1, H, W)]`."""
        if min(images.shape[-2:]) < SMALLEST:
            height, width = images.shape[-2:]
            raise UserError(f"images must be {SMALLEST}x{SMALLEST} at least, got {width}x{height}")
        kept, features = [], self.first(images)
        for halve in self.down:
            kept.append(features)
            features = F.mish(halve(features))  # (B, 2^n * width, H / 2^n, W / 2^n)
        for sample, narrow in zip(self.sample, self.up, strict=True):
            passed = kept.pop()
            height, width = passed.shape[-2:]
            features = narrow(sample(features)[..., :height, :width]) + passed
        for convolve in self.end:
            features = F.mish(convolve(features))
        return [self.last(features)]


def normalized(conv: nn.Conv2d) -> nn.Conv2d:
    """The convolution, with spectral norm."""
    normalize_spectrally(conv)
    return conv
