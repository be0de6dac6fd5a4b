"""SRVGGNetCompact, Real-ESRGAN's small generator: plain convolutions at low resolution, in BasicSR's layout."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from toolbox import Generator, UserError


class SRVGGNetCompact(Generator):
    """Images (B, C, H, W) in [0, 1] to (B, C', scale*H, scale*W), nominally in [0, 1].

    A convolution and `convs` more of one width, each followed by `activation`; one to scale*scale*C' channels, pixel
    shuffle, and the nearest-neighbour enlargement of the input added. 621,424 parameters with 16 convolutions
    (realesr-animevideov3), 1,213,296 with 32 (realesr-general-x4v3). State keys are BasicSR's: `body.0` and so on,
    convolutions at even numbers, PReLU's slopes at odd ones. PyTorch's initialisation, as there.
    """

    keeps_colors = True

    def __init__(
        self,
        *,
        in_channels: int = 3,
        out_channels: int = 3,
        width: int = 64,
        convs: int = 16,
        scale: int = 4,
        activation: str = "prelu",
    ) -> None:
        super().__init__()
        sizes = {"in_channels": in_channels, "out_channels": out_channels, "width": width, "scale": scale}
        for name, value in sizes.items():
            if value < 1:
                raise UserError(f"{name} must be at least 1, got {value}")
        if convs < 0:
            raise UserError(f"convs must be at least 0, got {convs}")
        if in_channels not in (1, out_channels):
            raise UserError(
                f"out_channels must equal in_channels ({in_channels}), got {out_channels}: "
                "the enlarged input is added to the output (one channel is added to each)"
            )
        self.scale = scale
        layers: list[nn.Module] = [nn.Conv2d(in_channels, width, 3, padding=1), _make_activation(activation, width)]
        for _ in range(convs):
            layers += [nn.Conv2d(width, width, 3, padding=1), _make_activation(activation, width)]
        layers += [nn.Conv2d(width, out_channels * scale**2, 3, padding=1)]
        self.body = nn.Sequential(*layers)

    def forward(self, images: Tensor) -> Tensor:
        """Enlarge images (B, C, H, W) in [0, 1] to (B, C', scale*H, scale*W); the output may leave [0, 1]."""
        residual = F.pixel_shuffle(self.body(images), self.scale)
        return residual + F.interpolate(images, scale_factor=self.scale, mode="nearest")


def _make_activation(activation: str, width: int) -> nn.Module:
    if activation == "prelu":
        return nn.PReLU(width)
    if activation == "relu":
        return nn.ReLU(inplace=True)
    if activation == "leakyrelu":
        return nn.LeakyReLU(0.1, inplace=True)
    raise UserError(f"activation must be prelu, relu or leakyrelu, got {activation!r}")
