"""The patch discriminator of pix2pix and CycleGAN (Isola et al. 2017), in the layout of the official files."""

from __future__ import annotations

from torch import Tensor, nn

from toolbox.errors import UserError
from toolbox.network import Discriminator

from .layers import initialize, make_norm
from .official_weights import drop_stale_statistics


class PatchDiscriminator(Discriminator):
    """Images (B, C, H, W) in [0, 1] to `[logits]`, one tensor (B, 1, h, w): a verdict on each overlapping patch.

    Isola et al. 2017, appendix 6.1.2: C64-C128-C256-C512 and a convolution to one channel, all 4x4, LeakyReLU 0.2, no
    norm in the first. With `layers` stride-2 convolutions a logit sees 16, 34, 70, 142 or 286 pixels (1 to 5) and
    h = H / 2^layers - 2. 2.765 M parameters by default. Works on [-1, 1] and converts. State keys are the official
    ones, by default `model.{0,2,5,8,11}` whatever `norm` is; stale running statistics in official files are left out.
    """

    def __init__(self, *, in_channels: int = 3, width: int = 64, layers: int = 3, norm: str = "instance") -> None:
        super().__init__()
        for name, value in (("in_channels", in_channels), ("width", width), ("layers", layers)):
            if value < 1:
                raise UserError(f"{name} must be at least 1, got {value}")
        bias = norm != "batch"  # instance norm removes it again, but the official files have it
        model: list[nn.Module] = [nn.Conv2d(in_channels, width, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
        channels = width
        for layer in range(1, layers + 1):
            wider = width * min(2**layer, 8)
            stride = 2 if layer < layers else 1
            model += [nn.Conv2d(channels, wider, 4, stride=stride, padding=1, bias=bias)]
            model += [make_norm(norm, wider), nn.LeakyReLU(0.2)]
            channels = wider
        model += [nn.Conv2d(channels, 1, 4, padding=1)]
        self.model = nn.Sequential(*model)
        self.register_load_state_dict_pre_hook(drop_stale_statistics)
        initialize(self)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Judge images (B, C, H, W) in [0, 1]: `[logits (B, 1, h, w)]`."""
        return [self.model(images * 2 - 1)]
