"""CycleGAN's generator (Zhu et al. 2017, after Johnson et al. 2016), in the layout of the official files."""

from __future__ import annotations

from torch import Tensor, nn

from toolbox import Generator, UserError

from .layers import initialize, make_norm
from .official_weights import drop_stale_statistics, move_for_dropout
from .resampling import BlurDown, BlurUp, ResizeConv


class ResnetGenerator(Generator):
    """Images (B, C, H, W) in [0, 1] to (B, C', H, W) in [0, 1]; H and W are multiples of 4, at least 8.

    Zhu et al. 2017, appendix 7.2: c7s1-64, d128, d256, R256 x `blocks`, u128, u64, c7s1-3, tanh; reflection padding.
    11.378 M parameters by default. The network works on [-1, 1] and converts at both ends. State keys are the official
    ones, with 9 blocks `model.{1,4,7,19,22,26}` and `model.{10..18}.conv_block.{1,5}` (`{1,6}` with dropout); official
    files load as they are, with or without dropout and with the running statistics that old ones carry.

    `upsample: resize` replaces each transposed convolution by a nearest-neighbour x2, reflection padding and a 3x3
    convolution, against checkerboards (Odena et al. 2016); their keys are `model.19.conv` and `model.22.conv`, all
    others stay.

    `antialias` is CUT's: convolutions of stride 1, a blur before each halving and after each doubling (Zhang 2019).
    Keys are those of CUT's code, whose files load: `model.{1,4,8,22,26,30}`, blocks from `model.12`, and the blurs'
    `filt` at `model.{7,11,21,25}`. `initialization` is normal, or xavier as in that code.
    """

    scale = 1
    multiple = 4

    def __init__(
        self,
        *,
        in_channels: int = 3,
        out_channels: int = 3,
        width: int = 64,
        blocks: int = 9,
        norm: str = "instance",
        dropout: bool = False,
        upsample: str = "transposed",
        antialias: bool = False,
        initialization: str = "normal",
    ) -> None:
        super().__init__()
        sizes = (("in_channels", in_channels), ("out_channels", out_channels), ("width", width), ("blocks", blocks))
        for name, value in sizes:
            if value < 1:
                raise UserError(f"{name} must be at least 1, got {value}")
        if upsample not in ("transposed", "resize"):
            raise UserError(f"upsample must be transposed or resize, got {upsample!r}")
        if antialias and upsample != "transposed":
            raise UserError(f"antialias has its own way up; leave upsample out, which is {upsample!r}")
        bias = norm != "batch"  # instance norm removes it again, but the official files have it
        layers: list[nn.Module] = [nn.ReflectionPad2d(3), nn.Conv2d(in_channels, width, 7, bias=bias)]
        layers += [make_norm(norm, width), nn.ReLU()]
        for channels in (width, 2 * width):  # (B, c, H, W) to (B, 2c, H/2, W/2)
            layers += [nn.Conv2d(channels, 2 * channels, 3, stride=1 if antialias else 2, padding=1, bias=bias)]
            layers += [make_norm(norm, 2 * channels), nn.ReLU()]
            layers += [BlurDown(2 * channels)] if antialias else []
        layers += [ResnetBlock(4 * width, norm, dropout, bias) for _ in range(blocks)]
        for channels in (4 * width, 2 * width):  # (B, c, h, w) to (B, c/2, 2h, 2w)
            layers += _upsampling("blur" if antialias else upsample, channels, channels // 2, bias)
            layers += [make_norm(norm, channels // 2), nn.ReLU()]
        layers += [nn.ReflectionPad2d(3), nn.Conv2d(width, out_channels, 7), nn.Tanh()]
        self.model = nn.Sequential(*layers)
        self.register_load_state_dict_pre_hook(move_for_dropout)
        self.register_load_state_dict_pre_hook(drop_stale_statistics)
        initialize(self, initialization)

    def forward(self, images: Tensor) -> Tensor:
        """Translate images (B, C, H, W) in [0, 1] to (B, C', H, W) in [0, 1]."""
        return (self.model(images * 2 - 1) + 1) / 2


class ResnetBlock(nn.Module):
    """Two reflection-padded 3x3 convolutions with normalisation, added to the input (B, c, h, w)."""

    def __init__(self, channels: int, norm: str, dropout: bool, bias: bool) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3, bias=bias)]
        layers += [make_norm(norm, channels), nn.ReLU()]
        layers += [nn.Dropout(0.5)] if dropout else []
        layers += [nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3, bias=bias), make_norm(norm, channels)]
        self.conv_block = nn.Sequential(*layers)

    def forward(self, features: Tensor) -> Tensor:
        """Refine features (B, c, h, w)."""
        return features + self.conv_block(features)


def _upsampling(upsample: str, in_channels: int, out_channels: int, bias: bool) -> list[nn.Module]:
    if upsample == "blur":
        return [BlurUp(in_channels), nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=bias)]
    if upsample == "resize":
        return [ResizeConv(in_channels, out_channels, bias)]
    return [nn.ConvTranspose2d(in_channels, out_channels, 3, stride=2, padding=1, output_padding=1, bias=bias)]
