"""Real-ESRGAN's discriminator: a U-Net with spectral norm, which judges every pixel; in BasicSR's layout."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from toolbox import Discriminator, UserError
from toolbox.weights.spectral_norm import normalize_spectrally

SMALLEST = 8
"""Height and width are halved three times."""


class UNetDiscriminator(Discriminator):
    """Images (B, C, H, W) in [0, 1] to `[logits]`, one tensor (B, 1, H, W): a verdict on each pixel.

    Wang et al. 2021, section 3.3 (BasicSR's `UNetDiscriminatorSN`): widths 1, 2, 4 and 8 times `width` down by 4x4
    stride-2 convolutions, bilinear enlargement and 3x3 convolutions up, with the features of the way down added
    (`skip`), LeakyReLU 0.2. Height and width need not be even: what is enlarged takes the size of what it is added to.
    4,376,897 parameters by default. PyTorch's initialisation, as there.

    `spectral_norm` is on all convolutions but the first and the last, as published; leave it to the GAN variant
    SpectralNorm to have it everywhere. State keys are `conv0` ... `conv9`; BasicSR's files load, whose `weight_orig`,
    `weight_u` and `weight_v` are renamed to torch's newer `parametrizations`.
    """

    def __init__(self, *, in_channels: int = 3, width: int = 64, skip: bool = True, spectral_norm: bool = True) -> None:
        super().__init__()
        for name, value in (("in_channels", in_channels), ("width", width)):
            if value < 1:
                raise UserError(f"{name} must be at least 1, got {value}")
        self.skip = skip
        inner = {
            "conv1": nn.Conv2d(width, 2 * width, 4, 2, 1, bias=False),
            "conv2": nn.Conv2d(2 * width, 4 * width, 4, 2, 1, bias=False),
            "conv3": nn.Conv2d(4 * width, 8 * width, 4, 2, 1, bias=False),
            "conv4": nn.Conv2d(8 * width, 4 * width, 3, 1, 1, bias=False),
            "conv5": nn.Conv2d(4 * width, 2 * width, 3, 1, 1, bias=False),
            "conv6": nn.Conv2d(2 * width, width, 3, 1, 1, bias=False),
            "conv7": nn.Conv2d(width, width, 3, 1, 1, bias=False),
            "conv8": nn.Conv2d(width, width, 3, 1, 1, bias=False),
        }
        self.conv0 = nn.Conv2d(in_channels, width, 3, 1, 1)
        for name, conv in inner.items():
            if spectral_norm:
                normalize_spectrally(conv)
            setattr(self, name, conv)
        self.conv9 = nn.Conv2d(width, 1, 3, 1, 1)
        self.register_load_state_dict_pre_hook(_rename_spectral_norm)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Judge images (B, C, H, W) in [0, 1], 8x8 at least: `[logits (B, 1, H, W)]`."""
        if min(images.shape[-2:]) < SMALLEST:
            height, width = images.shape[-2:]
            raise UserError(f"images must be {SMALLEST}x{SMALLEST} at least, got {width}x{height}")
        down = [F.leaky_relu(self.conv0(images), 0.2)]
        for name in ("conv1", "conv2", "conv3"):
            down.append(self._convolve(name, down[-1]))  # (B, 2^n * width, H/2^n, W/2^n)
        features = down.pop()
        for name in ("conv4", "conv5", "conv6"):
            passed = down.pop()
            features = F.interpolate(features, size=passed.shape[-2:], mode="bilinear", align_corners=False)
            features = self._convolve(name, features)
            features = features + passed if self.skip else features
        features = self._convolve("conv8", self._convolve("conv7", features))  # (B, width, H, W)
        return [self.conv9(features)]

    def _convolve(self, name: str, features: Tensor) -> Tensor:
        return F.leaky_relu(getattr(self, name)(features), 0.2)


def _rename_spectral_norm(module: nn.Module, state: dict[str, Tensor], prefix: str, *_: Any) -> None:
    """Give the entries of torch's older spectral norm the names of its newer one, where the network has it."""
    for name, child in module.named_children():
        if not hasattr(child, "parametrizations"):
            continue
        new = f"{prefix}{name}.parametrizations.weight"
        for old, target in (("orig", "original"), ("u", "0._u"), ("v", "0._v")):
            if f"{prefix}{name}.weight_{old}" in state:
                state[f"{new}.{target}"] = state.pop(f"{prefix}{name}.weight_{old}")
