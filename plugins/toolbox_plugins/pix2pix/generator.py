"""pix2pix's U-Net (Isola et al. 2017), in the layout of the official files."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from toolbox import Generator, UserError
from toolbox_plugins.cyclegan.layers import initialize, make_norm
from toolbox_plugins.cyclegan.official_weights import drop_stale_statistics


class UnetGenerator(Generator):
    """Images (B, C, H, W) in [0, 1] to (B, C', H, W) in [0, 1]; H and W are multiples of 2^`levels`.

    Isola et al. 2017, appendix 6.1.1: 4x4 convolutions of stride 2 down to one position for 2^`levels` pixels, and as
    many transposed ones up, each beside the features of its size. `levels` is 8 for images of 256 pixels and 7 for
    128; 54.41 and 41.83 M parameters. Channels double from `width` up to 8 times it. `dropout`, 0.5, is in the
    upward layers of the inner levels, from the fifth on and except the innermost, and off when predicting: see
    `Pix2Pix`. The network works on [-1, 1] and converts at both ends.

    State keys are the official ones: `model.model.{0,3}`, `model.model.1.model.{1,5}`, and so on inwards. The paper
    tests batch norm with the statistics of the one image at hand, and trains so too, with one image at a time. That is
    `norm: instance_affine`, which official files of batch norm load into as they are; `norm: batch` evaluates with
    running averages instead.
    """

    scale = 1

    def __init__(
        self,
        *,
        in_channels: int = 3,
        out_channels: int = 3,
        width: int = 64,
        levels: int = 8,
        norm: str = "batch",
        dropout: bool = True,
        initialization: str = "normal",
    ) -> None:
        super().__init__()
        sizes = (("in_channels", in_channels), ("out_channels", out_channels), ("width", width))
        for name, value in sizes:
            if value < 1:
                raise UserError(f"{name} must be at least 1, got {value}")
        if levels < 2:
            raise UserError(f"levels must be at least 2, got {levels}")
        self.multiple = 2**levels
        widths = [width * min(2**level, 8) for level in range(levels)]
        block: nn.Module | None = None
        for level in reversed(range(1, levels)):
            drops = dropout and 4 <= level < levels - 1
            block = UnetBlock(widths[level - 1], widths[level], block, norm, drops)
        assert block is not None
        bias = has_bias(norm)
        self.model = Outermost(
            nn.Conv2d(in_channels, width, 4, stride=2, padding=1, bias=bias),
            block,
            nn.ReLU(),
            nn.ConvTranspose2d(2 * width, out_channels, 4, stride=2, padding=1),
            nn.Tanh(),
        )
        self.register_load_state_dict_pre_hook(drop_stale_statistics)
        initialize(self, initialization)

    def forward(self, images: Tensor) -> Tensor:
        """Translate images (B, C, H, W) in [0, 1] to (B, C', H, W) in [0, 1]."""
        return (self.model(images * 2 - 1) + 1) / 2


class Outermost(nn.Module):
    """The first and the last layer, around the rest."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.model = nn.Sequential(*layers)

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C', H, W)."""
        return self.model(images)


class UnetBlock(nn.Module):
    """One level down, what lies within, and up again, beside the input: (B, c, h, w) to (B, 2c, h, w).

    The innermost level has no normalisation on its way down: there is one position where the image is smallest.
    """

    def __init__(self, channels: int, inner: int, within: nn.Module | None, norm: str, dropout: bool) -> None:
        super().__init__()
        bias = has_bias(norm)
        layers: list[nn.Module] = [nn.LeakyReLU(0.2), nn.Conv2d(channels, inner, 4, stride=2, padding=1, bias=bias)]
        layers += [] if within is None else [make_norm(norm, inner), within]
        coming = inner if within is None else 2 * inner
        layers += [nn.ReLU(), nn.ConvTranspose2d(coming, channels, 4, stride=2, padding=1, bias=bias)]
        layers += [make_norm(norm, channels)]
        layers += [nn.Dropout(0.5)] if dropout else []
        self.model = nn.Sequential(*layers)

    def forward(self, features: Tensor) -> Tensor:
        """Features (B, c, h, w), and what the levels within make of them: (B, 2c, h, w)."""
        return torch.cat([features, self.model(features)], 1)


def has_bias(norm: str) -> bool:
    """Whether convolutions before a norm have a bias: none where the norm has one, in the official files."""
    return norm not in ("batch", "instance_affine")
