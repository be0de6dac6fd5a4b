"""The decoder of AdaIN (Huang and Belongie, 2017): an encoder turned around."""

from __future__ import annotations

from torch import Tensor, nn

from toolbox import Decoder, UserError


class AdaINDecoder(Decoder):
    """A code (B, channels, h, w) to images (B, out_channels, H, W), twice as large for each further width.

    Huang and Belongie 2017, section 5: VGG19 up to relu4_1 turned around, nearest-neighbour doubling in the place of
    pooling, reflection padding, no normalisation, no activation at the end. 3.505 M parameters by default.
    `layers.N` are at the places of the convolutions in that sequence: 1, 5, 8, 11, 14, 18, 21, 25, 28.

    Args:
        widths: channels at each size, from the code's to the image's. Others than VGG's fit other encoders: one whose
            code stands for 16 pixels needs five.
        channels: of the code, where the first width is another: a thin code leaves the decoder room to think.
        convs: how many convolutions work at each size; the last of them brings on the next width.
        unit: what codes are divided by: about the deviation of the encoder's activations, where that is far from 1.
    """

    def __init__(
        self,
        *,
        out_channels: int = 3,
        widths: list[int] | None = None,
        channels: int | None = None,
        convs: list[int] | None = None,
        unit: float = 1.0,
    ) -> None:
        super().__init__()
        widths = [512, 256, 128, 64] if widths is None else widths
        if convs is None:
            convs = [1, 4, 2, 2] if len(widths) == 4 else [2] * len(widths)
        if not widths or len(convs) != len(widths) or min(*widths, *convs, out_channels) < 1:
            raise UserError(f"widths and convs must be as many numbers of 1 or more, got {widths} and {convs}")
        if unit <= 0:
            raise UserError(f"unit must be above 0, got {unit}")
        if channels is not None and channels < 1:
            raise UserError(f"channels must be at least 1, got {channels}")
        self.channels, self.unit = channels or widths[0], unit
        layers: list[nn.Module] = []
        incoming = self.channels
        for width, following, count in zip(widths, [*widths[1:], out_channels], convs, strict=True):
            for number in range(count):
                out = following if number == count - 1 else width
                layers += [nn.ReflectionPad2d(1), nn.Conv2d(incoming, out, 3), nn.ReLU()]
                incoming = out
            layers.append(nn.Upsample(scale_factor=2))
        self.layers = nn.Sequential(*layers[:-2])  # neither activation nor doubling at the end

    def forward(self, code: Tensor) -> Tensor:
        """Paint codes (B, channels, h, w)."""
        return self.layers(code / self.unit)
