"""SRResNet as its paper draws it: batch norm, PReLU, 9x9 convolutions at both ends."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from toolbox import Generator, UserError

from .srresnet import UPSAMPLING


class SRResNetBN(Generator):
    """Images (B, C, H, W) in [0, 1] to (B, C', scale*H, scale*W), nominally in [0, 1].

    Ledig et al. 2017, figure 4: nothing of the input is added to the output, which the network gives in [-1, 1] as the
    paper has it; converted here. The learnt slope of PReLU is one for each layer. 1,547,350 parameters by default; for
    new work `SRResNet`, without batch norm, is the better start (ESRGAN, section 3.1). The paper has x4 alone, by two
    pixel shuffles; the other scales are ours. State keys: `conv_first`, `body.{i}.conv1|bn1|act|conv2|bn2`,
    `conv_body`, `bn_body`, `upconv.{i}`, `conv_last`, and PReLU's `act_first`, `act_up.{i}`. PyTorch's initialisation.
    """

    keeps_colors = True

    def __init__(
        self, *, in_channels: int = 3, out_channels: int = 3, width: int = 64, blocks: int = 16, scale: int = 4
    ) -> None:
        super().__init__()
        if scale not in UPSAMPLING:
            raise UserError(f"scale must be 2, 3, 4 or 8, got {scale}")
        sizes = {"in_channels": in_channels, "out_channels": out_channels, "width": width, "blocks": blocks}
        for name, value in sizes.items():
            if value < 1:
                raise UserError(f"{name} must be at least 1, got {value}")
        self.scale = scale
        self.conv_first, self.act_first = nn.Conv2d(in_channels, width, 9, padding=4), nn.PReLU()
        self.body = nn.Sequential(*(NormalizedBlock(width) for _ in range(blocks)))
        # A bias before batch norm would be subtracted again.
        self.conv_body, self.bn_body = nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        factors = UPSAMPLING[scale]
        self.upconv = nn.ModuleList(nn.Conv2d(width, width * factor**2, 3, padding=1) for factor in factors)
        self.act_up = nn.ModuleList(nn.PReLU() for _ in factors)
        self.conv_last = nn.Conv2d(width, out_channels, 9, padding=4)

    def forward(self, images: Tensor) -> Tensor:
        """Enlarge images (B, C, H, W) in [0, 1] to (B, C', scale*H, scale*W); the output may leave [0, 1]."""
        features = self.act_first(self.conv_first(images))  # (B, width, H, W)
        features = features + self.bn_body(self.conv_body(self.body(features)))
        for factor, upconv, act in zip(UPSAMPLING[self.scale], self.upconv, self.act_up, strict=True):
            features = act(F.pixel_shuffle(upconv(features), factor))  # (B, width, factor*h, factor*w)
        return (self.conv_last(features) + 1) / 2


class NormalizedBlock(nn.Module):
    """Convolution, batch norm, PReLU, convolution, batch norm, added to the input (B, width, H, W)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        self.act = nn.PReLU()
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)

    def forward(self, features: Tensor) -> Tensor:
        """Refine features (B, width, H, W)."""
        return features + self.bn2(self.conv2(self.act(self.bn1(self.conv1(features)))))
