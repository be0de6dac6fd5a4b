"""RCAN: residual groups of blocks that weigh their channels by what the whole image is like."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from toolbox import Generator, UserError
from toolbox_plugins.edsr.edsr import DIV2K_MEAN, RANGE, UPSAMPLING, upsampling

FOLDED = 4
"""What a network on folded pixels enlarges by: it folds by 4 at x1, and by 2 at x2."""


class RCAN(Generator):
    """Images (B, C, H, W) in [0, 1] to (B, C, scale*H, scale*W), nominally in [0, 1].

    Residual Channel Attention Networks (Zhang et al., ECCV 2018): `groups` of `blocks`, each two 3x3 convolutions whose
    result is weighed by channel, by a sigmoid of its means over the image; additions around blocks, groups and all of
    them. 15,592,355 parameters by default. PyTorch's initialisation, as there.

    Channels are weighed by the whole image, so tiles differ a little from the whole.

    Args:
        width: channels of the features.
        reduction: how many times fewer channels the weights pass through.
        fold: at x1 and x2, fold squares of 4x4 and 2x2 pixels into channels and enlarge by 4: several times as fast. H
            and W must be multiples of 4 and 2.
        centred: work on [0, 255] around the mean of DIV2K, as the authors do; off, take images as they are. Published
            files need one or the other. In it half precision may overflow, so it stays in float32.
    """

    keeps_colors = True

    def __init__(
        self,
        *,
        in_channels: int = 3,
        out_channels: int = 3,
        width: int = 64,
        groups: int = 10,
        blocks: int = 20,
        reduction: int = 16,
        scale: int = 4,
        fold: bool = False,
        centred: bool = True,
    ) -> None:
        super().__init__()
        if scale not in UPSAMPLING:
            raise UserError(f"scale must be 1, 2, 3, 4 or 8, got {scale}")
        sizes = {"in_channels": in_channels, "width": width, "groups": groups, "blocks": blocks, "reduction": reduction}
        for name, value in sizes.items():
            if value < 1:
                raise UserError(f"{name} must be at least 1, got {value}")
        if out_channels != in_channels:
            raise UserError(f"out_channels must equal in_channels ({in_channels}), got {out_channels}")
        if reduction > width:
            raise UserError(f"reduction must leave a channel of {width}, got {reduction}")
        if fold and scale not in (1, 2):
            raise UserError(f"fold is for scale 1 and 2, got scale {scale}")
        self.scale = scale
        self.multiple = self.folding = FOLDED // scale if fold else 1
        self.supports_half = not centred
        if centred:
            mean = DIV2K_MEAN if in_channels == len(DIV2K_MEAN) else (sum(DIV2K_MEAN) / 3,) * in_channels
            self.register_buffer("mean", RANGE * torch.tensor(mean))
        else:
            self.mean = None
        self.first = nn.Conv2d(in_channels * self.folding**2, width, 3, padding=1)
        self.groups = nn.Sequential(*(Group(width, blocks, reduction) for _ in range(groups)))
        self.after = nn.Conv2d(width, width, 3, padding=1)
        self.upsample = upsampling(width, FOLDED if fold else scale)
        self.last = nn.Conv2d(width, out_channels, 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        """Enlarge images (B, C, H, W) in [0, 1] to (B, C, scale*H, scale*W); the output may leave [0, 1]."""
        mean = None if self.mean is None else self.mean[:, None, None]
        if mean is not None:
            images = images * RANGE - mean
        if self.folding > 1:
            images = F.pixel_unshuffle(images, self.folding)  # (B, C * f * f, H / f, W / f)
        features = self.first(images)
        output = self.last(self.upsample(features + self.after(self.groups(features))))
        return output if mean is None else (output + mean) / RANGE


class Group(nn.Module):
    """Blocks and a convolution, added to the input (B, width, h, w)."""

    def __init__(self, width: int, blocks: int, reduction: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(Block(width, reduction) for _ in range(blocks)))
        self.after = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        """Refine features (B, width, h, w)."""
        return features + self.after(self.blocks(features))


class Block(nn.Module):
    """Two convolutions, weighed by channel, added to the input (B, width, h, w)."""

    def __init__(self, width: int, reduction: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.squeeze = nn.Conv2d(width, width // reduction, 1)
        self.excite = nn.Conv2d(width // reduction, width, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Refine features (B, width, h, w)."""
        found = self.conv2(F.relu(self.conv1(features)))
        weights = torch.sigmoid(self.excite(F.relu(self.squeeze(found.mean((2, 3), keepdim=True)))))  # (B, width, 1, 1)
        return features + found * weights
