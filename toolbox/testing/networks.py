"""The smallest network of each kind that keeps to its contract, for checks of what is built from networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate

from toolbox.contracts.degradation import Degradation
from toolbox.contracts.network import Decoder, Encoder, FeatureNetwork, StyleEncoder

CODE = 8
"""Channels of a tiny code, and numbers of a tiny style."""


class TinyGenerator(nn.Module):
    """Two convolutions around an enlargement: the smallest network that keeps to the contract of a generator.

    A graded one, of two styles. Strength does not act linearly, or an output between the ends would equal their mixture
    exactly.
    """

    multiple = 1
    styles = ("first", "second")

    def __init__(self, channels: int = 3, scale: int = 1) -> None:
        super().__init__()
        self.scale = scale
        self.first, self.last = nn.Conv2d(channels, 8, 3, padding=1), nn.Conv2d(8, channels, 3, padding=1)

    def forward(
        self, images: Tensor, strength: Any = None, style: Tensor | None = None, statistics: Any = None
    ) -> Tensor:
        """(B, C, H, W), strengths (B,) or one of all, and shares of the styles (B, 2), to (B, C, scale*H, scale*W)."""
        base = interpolate(images, scale_factor=self.scale) if self.scale > 1 else images
        change = self.last(torch.tanh(self.first(base)))
        if style is not None:
            change = change * (1 + style[:, 0, None, None, None])
        if strength is not None:
            change = change * (1 + torch.as_tensor(strength).to(images).square().reshape(-1, 1, 1, 1))
        return base + change

    def survey(self, images: Tensor, style: Tensor | None = None) -> None:
        """Nothing is measured over whole images."""


class TinyDiscriminator(nn.Module):
    """Two strided convolutions, two scales of logits, no normalisation."""

    def __init__(self, channels: int = 3) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(channels, 8, 4, 2, 1), nn.Conv2d(8, 1, 4, 2, 1)

    def forward(self, images: Tensor) -> list[Tensor]:
        """(B, C, H, W) to logits (B, 1, H/4, W/4) and (B, 1, H/8, W/8)."""
        return [self.last(torch.tanh(self.first(scale))) for scale in (images, avg_pool2d(images, 2))]


class TinyDegradation(Degradation):
    """Halves the images and adds noise."""

    scale = 2

    def forward(self, images: Tensor, rng: torch.Generator) -> Tensor:
        """(..., C, H, W) to (..., C, H/2, W/2)."""
        small = avg_pool2d(images.flatten(0, -4), 2).unflatten(0, images.shape[:-3])
        return (small + 0.01 * torch.randn(small.shape, generator=rng)).clamp(0, 1)


class TinyEncoder(Encoder):
    """One strided convolution."""

    channels, multiple = CODE, 2

    def __init__(self) -> None:
        super().__init__()
        self.only = nn.Conv2d(3, CODE, 4, 2, 1)

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) to (B, 8, H/2, W/2)."""
        return torch.tanh(self.only(images))


class TinyStyleEncoder(StyleEncoder):
    """One strided convolution and the mean over positions."""

    style_channels = CODE

    def __init__(self) -> None:
        super().__init__()
        self.only = nn.Conv2d(3, CODE, 4, 2, 1)

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) to (B, 8)."""
        return torch.tanh(self.only(images)).mean((2, 3))


class TinyDecoder(Decoder):
    """An enlargement and one convolution; a style is added to every position of the code."""

    channels = style_channels = CODE

    def __init__(self) -> None:
        super().__init__()
        self.only = nn.Conv2d(CODE, 3, 3, padding=1)

    def forward(self, code: Tensor, style: Tensor | None = None) -> Tensor:
        """(B, 8, h, w), and a style (B, 8) if there is one, to (B, 3, 2h, 2w)."""
        code = code if style is None else code + style[..., None, None]
        return self.only(interpolate(code, scale_factor=2))


class TinyFeatures(FeatureNetwork):
    """Two frozen convolutions with fixed random weights."""

    layers: Sequence[str] = ("shallow", "deep")

    def __init__(self) -> None:
        super().__init__()
        rng = torch.Generator().manual_seed(0)
        self.register_buffer("first", torch.randn(CODE, 3, 3, 3, generator=rng) / 5)
        self.register_buffer("second", torch.randn(CODE, CODE, 3, 3, generator=rng) / 8)

    def forward(self, images: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        """(B, 3, H, W) to (B, 8, H, W) and (B, 8, H/2, W/2)."""
        shallow = torch.tanh(nn.functional.conv2d(images, self.get_buffer("first"), padding=1))
        deep = torch.tanh(nn.functional.conv2d(shallow, self.get_buffer("second"), stride=2, padding=1))
        found = {"shallow": shallow, "deep": deep}
        return {layer: found[layer] for layer in layers}


class Distance(nn.Module):
    """The mean absolute difference of two values, or the mean square of one; of lists, summed over their items.

    Of a network's call, an input and a result, the difference of the result from what the call gives for the input.

    Of scores (B, n), or images (B, n, ...), and labels (B,), which have no difference, the cross-entropy of the means.
    """

    def forward(self, *values: Any) -> Tensor:
        """Tensors, or lists of tensors, to a scalar."""
        if callable(values[0]) and not isinstance(values[0], Tensor):
            again, images, *made = values
            return self(again(images + 0.01), *made)
        if isinstance(values[0], (list, tuple)):
            return torch.stack([self(*items) for items in zip(*values, strict=True)]).sum()
        first, *rest = values
        if rest and rest[0].dtype == torch.int64:
            return nn.functional.cross_entropy(first.flatten(2).mean(2) if first.dim() > 2 else first, rest[0])
        return (first - rest[0]).abs().mean() if rest else first.square().mean()
