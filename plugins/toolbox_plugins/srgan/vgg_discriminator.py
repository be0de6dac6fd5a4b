"""SRGAN's discriminator as BasicSR trains it (its `VGGStyleDiscriminator`): one logit for a whole image."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from toolbox import Discriminator, UserError


class WrongImageSizeError(UserError, ValueError):
    """The images do not have the size that a discriminator's linear layer was made for."""


class VGGStyleDiscriminator(Discriminator):
    """Images (B, C, H, W) in [0, 1] to `[logits]`, one tensor (B, 1).

    Ledig et al. 2017, figure 4, in BasicSR's layout: five stages of a 3x3 and a 4x4 stride-2 convolution, each but the
    first followed by `norm`, LeakyReLU 0.2 after all; then linear layers to 100 and to 1. Widths are 1, 2, 4, 8 and 8
    times `width`. State keys are BasicSR's: `conv{0-4}_{0,1}`, `bn{0-4}_{0,1}` (no `bn0_0`; none at all without batch
    norm), `linear1`, `linear2`; at 128 pixels 14,499,401 parameters. BasicSR's files for 256 pixels have `stages: 6`.
    PyTorch's initialisation, as there.

    With `head: linear` H and W must be `image_size`. With `head: pool` the features are averaged over positions before
    the linear layers, so that H and W may be any from 2^stages up, and `image_size` plays no part.

    Batch norm normalises by the batch it is shown, here all real or all fake: a shift that is common to a whole batch
    is invisible, and the averages kept for evaluation mix both kinds. It needs two images or more where the last stage
    is 1x1 (32 pixels and five stages). Instance norm needs a last stage larger than 1x1.
    """

    def __init__(
        self,
        *,
        in_channels: int = 3,
        width: int = 64,
        image_size: int = 128,
        norm: str = "batch",
        head: str = "linear",
        stages: int = 5,
    ) -> None:
        super().__init__()
        if norm not in ("batch", "instance", "none"):
            raise UserError(f"norm must be batch, instance or none, got {norm!r}")
        if head not in ("linear", "pool"):
            raise UserError(f"head must be linear or pool, got {head!r}")
        for name, value in (("in_channels", in_channels), ("width", width), ("stages", stages)):
            if value < 1:
                raise UserError(f"{name} must be at least 1, got {value}")
        self.stages, self.head = stages, head
        self.smallest = 2**stages * (2 if norm == "instance" else 1)
        if head == "linear":
            self.image_size = image_size
            if image_size < 2**stages or image_size % 2**stages:
                raise UserError(f"image_size must be a multiple of {2**stages}, got {image_size}")
            if image_size < self.smallest:
                raise UserError(
                    f"image_size must be {self.smallest} or more with norm: instance, got {image_size}: the last stage "
                    "is 1x1 there, and to normalise one pixel is to erase it; or write norm: none"
                )
        channels = in_channels
        for stage in range(stages):
            wider = width * min(2**stage, 8)
            for step in (0, 1):
                first = stage == step == 0
                # A bias before batch or instance norm would be subtracted again.
                conv = nn.Conv2d(channels, wider, 3 + step, 1 + step, padding=1, bias=first or norm == "none")
                setattr(self, f"conv{stage}_{step}", conv)
                if not first:
                    setattr(self, f"bn{stage}_{step}", _make_norm(norm, wider))
                channels = wider
        positions = (image_size // 2**stages) ** 2 if head == "linear" else 1
        self.linear1 = nn.Linear(channels * positions, 100)
        self.linear2 = nn.Linear(100, 1)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Judge images (B, C, H, W) in [0, 1]: `[logits (B, 1)]`."""
        self._check_size(*images.shape[-2:])
        features = images
        for stage in range(self.stages):
            for step in (0, 1):
                features = getattr(self, f"conv{stage}_{step}")(features)
                if (stage, step) != (0, 0):
                    features = getattr(self, f"bn{stage}_{step}")(features)
                features = F.leaky_relu(features, 0.2)  # (B, c, H/2^(stage+step), W/2^(stage+step))
        flat = features.mean((2, 3)) if self.head == "pool" else features.flatten(1)
        return [self.linear2(F.leaky_relu(self.linear1(flat), 0.2))]

    def _check_size(self, height: int, width: int) -> None:
        if self.head == "pool" and min(height, width) < self.smallest:
            raise WrongImageSizeError(
                f"images of {width}x{height} reached a discriminator that needs {self.smallest}x{self.smallest} at "
                "least: crop the data larger, or set fewer stages"
            )
        if self.head == "linear" and (height, width) != (self.image_size, self.image_size):
            raise WrongImageSizeError(
                f"images of {width}x{height} reached a discriminator made for {self.image_size}x{self.image_size}: "
                f"crop the data to {self.image_size}, set image_size to the size that the data has, or head: pool"
            )


def _make_norm(norm: str, channels: int) -> nn.Module:
    if norm == "batch":
        return nn.BatchNorm2d(channels)
    return nn.InstanceNorm2d(channels) if norm == "instance" else nn.Identity()
