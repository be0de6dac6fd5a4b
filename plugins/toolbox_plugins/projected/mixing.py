"""Fixed random convolutions that mix the layers of a feature network, across channels and across scales."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate


class RandomMixing(nn.Module):
    """Activations from fine to deep, (B, c, h, w) each, to (B, width, h, w) each.

    A 1x1 convolution mixes a layer's channels; then each layer, from the deepest on, is enlarged bilinearly to the size
    of the next finer one, added to it, and mixed by a 3x3 convolution (Sauer et al., 2021, section 3.2). All weights
    are drawn from `seed` and never trained, but saved. They are scaled so that what comes out of each deviates by about
    1: heads with spectral norm cannot do that, and the paper's have batch norm, by which samples are judged together.

    Args:
        probe: activations of some image, which show each layer's channels and scale.
    """

    def __init__(self, probe: Sequence[Tensor], width: int, seed: int) -> None:
        super().__init__()
        self.across_channels = nn.ModuleList(nn.Conv2d(each.shape[1], width, 1, bias=False) for each in probe)
        self.across_scales = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1, bias=False) for _ in probe)
        drawn = torch.Generator().manual_seed(seed)
        for parameter in self.parameters():
            parameter.data = torch.zeros(parameter.shape).normal_(generator=drawn)
        self.requires_grad_(False)
        handles = [each.register_forward_hook(scaled) for each in (*self.across_channels, *self.across_scales)]
        self(probe)
        for handle in handles:
            handle.remove()

    def forward(self, activations: Sequence[Tensor]) -> list[Tensor]:
        """Mix activations, finest first; the results have their sizes."""
        mixed: list[Tensor] = []
        levels = list(zip(activations, self.across_channels, self.across_scales, strict=True))
        for features, across_channels, across_scales in reversed(levels):
            found = across_channels(features)
            if mixed:
                found = found + interpolate(mixed[-1], found.shape[-2:], mode="bilinear", align_corners=False)
            mixed.append(across_scales(found))
        return mixed[::-1]


def scaled(convolution: nn.Module, _: object, found: Tensor) -> Tensor:
    """Scale a convolution's weights so that what it found deviates by 1, and give that."""
    deviation = found.std().clamp(min=1e-6)
    for parameter in convolution.parameters():
        parameter.data /= deviation
    return found / deviation
