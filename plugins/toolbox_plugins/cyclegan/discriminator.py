"""The patch discriminator of pix2pix and CycleGAN (Isola et al. 2017), in the layout of the official files."""

from __future__ import annotations

from torch import Tensor, nn

from toolbox import Discriminator, UserError

from .layers import initialize, make_norm
from .official_weights import drop_stale_statistics
from .resampling import BlurDown


class PatchDiscriminator(Discriminator):
    """Images (B, C, H, W) in [0, 1] to `[logits]`, one tensor (B, 1, h, w): a verdict on each overlapping patch.

    Isola et al. 2017, appendix 6.1.2: C64-C128-C256-C512 and a convolution to one channel, all 4x4, LeakyReLU 0.2, no
    norm in the first. With `layers` stride-2 convolutions a logit sees 16, 34, 70, 142 or 286 pixels (1 to 5) and
    h = H / 2^layers - 2. 2.765 M parameters by default. Works on [-1, 1] and converts. State keys are the official
    ones, by default `model.{0,2,5,8,11}` whatever `norm` is; stale running statistics in official files are left out.

    `antialias` is CUT's: each halving is a convolution of stride 1 and, after its activation, a blur (Zhang 2019). The
    keys are those of CUT's code, by default `model.{0,3,7,11,14}` and the blurs' `filt` at `model.{2,6,10}`.
    `initialization` is normal, or xavier as in that code.
    """

    def __init__(
        self,
        *,
        in_channels: int = 3,
        width: int = 64,
        layers: int = 3,
        norm: str = "instance",
        antialias: bool = False,
        initialization: str = "normal",
    ) -> None:
        super().__init__()
        for name, value in (("in_channels", in_channels), ("width", width), ("layers", layers)):
            if value < 1:
                raise UserError(f"{name} must be at least 1, got {value}")
        bias = norm != "batch"  # instance norm removes it again, but the official files have it
        halving = 1 if antialias else 2
        model: list[nn.Module] = [nn.Conv2d(in_channels, width, 4, stride=halving, padding=1), nn.LeakyReLU(0.2)]
        model += [BlurDown(width)] if antialias else []
        channels = width
        for layer in range(1, layers + 1):
            wider = width * min(2**layer, 8)
            stride = halving if layer < layers else 1
            model += [nn.Conv2d(channels, wider, 4, stride=stride, padding=1, bias=bias)]
            model += [make_norm(norm, wider), nn.LeakyReLU(0.2)]
            model += [BlurDown(wider)] if antialias and layer < layers else []
            channels = wider
        model += [nn.Conv2d(channels, 1, 4, padding=1)]
        self.model = nn.Sequential(*model)
        self.register_load_state_dict_pre_hook(drop_stale_statistics)
        initialize(self, initialization)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Judge images (B, C, H, W) in [0, 1]: `[logits (B, 1, h, w)]`."""
        return [self.model(images * 2 - 1)]
