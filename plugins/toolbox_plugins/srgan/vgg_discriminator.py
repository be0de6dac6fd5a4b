"""SRGAN's discriminator as BasicSR trains it (its `VGGStyleDiscriminator`): one logit for a whole image."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from toolbox.errors import UserError
from toolbox.network import Discriminator

STAGES = 5
"""Each halves height and width."""


class WrongImageSizeError(UserError, ValueError):
    """The images do not have the size that a discriminator's linear layer was made for."""


class VGGStyleDiscriminator(Discriminator):
    """Images (B, C, S, S) in [0, 1] to `[logits]`, one tensor (B, 1); S is `image_size`.

    Ledig et al. 2017, figure 4, in BasicSR's layout: five stages of a 3x3 and a 4x4 stride-2 convolution, each but the
    first followed by `norm`, LeakyReLU 0.2 after all; then linear layers to 100 and to 1. Widths are 1, 2, 4, 8 and 8
    times `width`. State keys are BasicSR's: `conv{0-4}_{0,1}`, `bn{0-4}_{0,1}` (no `bn0_0`; none at all without batch
    norm), `linear1`, `linear2`; at 128 pixels 14,499,401 parameters. Above 128 pixels the linear layer grows instead
    (BasicSR has a sixth stage at 256, so those files do not fit). PyTorch's initialisation, as there.

    Batch norm needs two images or more at 32 pixels, where the last stage is 1x1.
    """

    def __init__(self, *, in_channels: int = 3, width: int = 64, image_size: int = 128, norm: str = "batch") -> None:
        super().__init__()
        if norm not in ("batch", "instance", "none"):
            raise UserError(f"norm must be batch, instance or none, got {norm!r}")
        for name, value in (("in_channels", in_channels), ("width", width)):
            if value < 1:
                raise UserError(f"{name} must be at least 1, got {value}")
        if image_size < 2**STAGES or image_size % 2**STAGES:
            raise UserError(f"image_size must be a multiple of {2**STAGES}, got {image_size}")
        if norm == "instance" and image_size == 2**STAGES:
            raise UserError(
                f"image_size must be 64 or more with norm: instance, got {image_size}: the last stage is 1x1 there, "
                "and to normalise one pixel is to erase it; or write norm: none"
            )
        self.image_size = image_size
        channels = in_channels
        for stage in range(STAGES):
            wider = width * min(2**stage, 8)
            for step in (0, 1):
                first = stage == step == 0
                # A bias before batch or instance norm would be subtracted again.
                conv = nn.Conv2d(channels, wider, 3 + step, 1 + step, padding=1, bias=first or norm == "none")
                setattr(self, f"conv{stage}_{step}", conv)
                if not first:
                    setattr(self, f"bn{stage}_{step}", _make_norm(norm, wider))
                channels = wider
        self.linear1 = nn.Linear(channels * (image_size // 2**STAGES) ** 2, 100)
        self.linear2 = nn.Linear(100, 1)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Judge images (B, C, S, S) in [0, 1]: `[logits (B, 1)]`."""
        height, width = images.shape[-2:]
        if (height, width) != (self.image_size, self.image_size):
            raise WrongImageSizeError(
                f"images of {width}x{height} reached a discriminator made for {self.image_size}x{self.image_size}: "
                f"crop the data to {self.image_size}, or set image_size to the size that the data has"
            )
        features = images
        for stage in range(STAGES):
            for step in (0, 1):
                features = getattr(self, f"conv{stage}_{step}")(features)
                if (stage, step) != (0, 0):
                    features = getattr(self, f"bn{stage}_{step}")(features)
                features = F.leaky_relu(features, 0.2)  # (B, c, S/2^(stage+step), S/2^(stage+step))
        features = F.leaky_relu(self.linear1(features.flatten(1)), 0.2)  # (B, 100)
        return [self.linear2(features)]


def _make_norm(norm: str, channels: int) -> nn.Module:
    if norm == "batch":
        return nn.BatchNorm2d(channels)
    return nn.InstanceNorm2d(channels) if norm == "instance" else nn.Identity()
